"""Which files of a table cannot be used, and why."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lesionlens.data.fitted_mask import load_mask
from lesionlens.data.images import read_header, read_rgb
from lesionlens.data.superpixels import union_of_features
from lesionlens.errors import DataError, ImageError


class UnusableFiles(NamedTuple):
    """The reasons, one for each image and each mask that cannot be used."""

    images: tuple[str, ...]
    masks: tuple[str, ...]


def find_unusable_files(frame: pd.DataFrame, *, verify_images: bool) -> UnusableFiles:
    """Open every image; with ``verify_images`` read all of it, and its masks, which must have its proportions.

    Parameters
    ----------
    frame
        ``path``, ``mask_path`` and ``feature_mask_paths`` of each image.
    verify_images
        Rather than read the images' headers only.
    """
    rows = frame[["path", "mask_path", "feature_mask_paths"]].itertuples(index=False, name=None)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        if verify_images:
            found = list(pool.map(_decode_errors, rows))
        else:
            found = [(reason, ()) for reason in pool.map(_header_error, frame["path"], chunksize=64)]
    images = tuple(reason for reason, _ in found if reason)
    return UnusableFiles(images, tuple(reason for _, reasons in found for reason in reasons))


def _header_error(path: str) -> str:
    try:
        read_header(Path(path))
    except ImageError as error:
        return str(error)
    return ""


def _decode_errors(row: tuple[str, str, str]) -> tuple[str, tuple[str, ...]]:
    try:
        # A small target lets JPEGs be decoded scaled: every byte is still read.
        image = read_rgb(Path(row[0]), max_short_side=64)
    except ImageError as error:
        return str(error), ()
    return "", tuple(_size_mismatches(image, *row))


def _size_mismatches(image: npt.NDArray[np.uint8], path: str, mask_path: str, feature_mask_paths: str) -> Iterator[str]:
    shape = (image.shape[0], image.shape[1])
    try:
        if mask_path:
            load_mask(Path(mask_path), shape, image_path=path)
    except DataError as error:
        yield str(error)
    try:
        union_of_features(feature_mask_paths, shape)
    except DataError as error:
        yield str(error)
