"""Which files of a table cannot be used, and why."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lesionlens.data.fitted_mask import fitted_mask
from lesionlens.data.images import probe, read_rgb
from lesionlens.data.superpixels import dermoscopic_mask
from lesionlens.errors import DataError, ImageError


class Unusable(NamedTuple):
    """The reasons, one for each image and each mask that cannot be used."""

    images: tuple[str, ...]
    masks: tuple[str, ...]


def unusable(frame: pd.DataFrame, *, decode: bool) -> Unusable:
    """Open every image; with ``decode`` read all of it, and its masks, which must have its proportions.

    Parameters
    ----------
    frame
        ``path``, ``mask_path`` and ``feature_mask_paths`` of each image.
    decode
        Rather than read the images' headers only.
    """
    rows = frame[["path", "mask_path", "feature_mask_paths"]].itertuples(index=False, name=None)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        if decode:
            found = list(pool.map(_decoded, rows))
        else:
            found = [(reason, ()) for reason in pool.map(_opened, frame["path"], chunksize=64)]
    images = tuple(reason for reason, _ in found if reason)
    return Unusable(images, tuple(reason for _, reasons in found for reason in reasons))


def _opened(path: str) -> str:
    try:
        probe(Path(path))
    except ImageError as error:
        return str(error)
    return ""


def _decoded(row: tuple[str, str, str]) -> tuple[str, tuple[str, ...]]:
    try:
        # A small target lets JPEGs be decoded scaled: every byte is still read.
        image = read_rgb(Path(row[0]), shorter_side=64)
    except ImageError as error:
        return str(error), ()
    return "", tuple(_misfits(image, *row))


def _misfits(image: npt.NDArray[np.uint8], path: str, mask: str, features: str) -> Iterator[str]:
    shape = (image.shape[0], image.shape[1])
    try:
        if mask:
            fitted_mask(Path(mask), shape, image=path)
    except DataError as error:
        yield str(error)
    try:
        dermoscopic_mask(features, shape)
    except DataError as error:
        yield str(error)
