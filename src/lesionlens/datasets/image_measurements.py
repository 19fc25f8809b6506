"""Groups that are measured on the images of a dataset: the color of the skin, and detected artifacts."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from lesionlens.core.errors import DataError, ImageError
from lesionlens.core.prefetch import prefetch
from lesionlens.datasets.table import LesionTable
from lesionlens.imaging.artifact_detection import ARTIFACT_DETECTORS, DETECTION_SIDE, detect_artifacts
from lesionlens.imaging.decode import read_rgb
from lesionlens.imaging.masks import BinaryMask, load_mask
from lesionlens.imaging.skin_color import ita_group, measure_ita

ITA_COLUMN = "ita"
MEASURED_COLUMNS = (ITA_COLUMN, *ARTIFACT_DETECTORS)
"""Columns that can be measured: the range of the individual typology angle, and yes or no for each artifact."""


class _ImageFiles(NamedTuple):
    """Files of an image and of its lesion mask, "" if there is none."""

    image: str
    mask: str


def measure_columns(table: LesionTable, image_ids: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Measure columns of `MEASURED_COLUMNS` on images of a table.

    Parameters
    ----------
    table
        Table with the files of images and, optionally, lesion masks.
    image_ids
        Images to measure; others of the table are ignored.
    columns
        Names of the columns.

    Returns
    -------
    DataFrame
        A row for each of the images that the table has, with their ids as index. "" where an image cannot be read, or
        shows no skin.
    """
    frame = table.frame.set_index("image_id")
    frame = frame.loc[frame.index.intersection(list(image_ids))]
    files = map(_ImageFiles, frame["path"], frame["mask_path"])
    rows = list(prefetch(partial(_measure, columns=tuple(columns)), files))
    return pd.DataFrame(rows, columns=list(columns), index=frame.index)


def _measure(files: _ImageFiles, *, columns: tuple[str, ...]) -> list[str]:
    try:
        image = read_rgb(Path(files.image), max_short_side=DETECTION_SIDE, draft=True)
    except ImageError:
        return [""] * len(columns)
    detected = detect_artifacts(image, [name for name in columns if name != ITA_COLUMN])
    measured = {name: "yes" if is_present else "no" for name, is_present in detected.items()}
    if ITA_COLUMN in columns:
        mask = _read_mask(files, (image.shape[0], image.shape[1]))
        measured[ITA_COLUMN] = ita_group(measure_ita(image, lesion_mask=mask))
    return [measured[name] for name in columns]


def _read_mask(files: _ImageFiles, size: tuple[int, int]) -> BinaryMask | None:
    """Return the lesion mask of an image; None without one, or if it does not fit."""
    if not files.mask:
        return None
    try:
        return np.asarray(load_mask(Path(files.mask), size, image_path=files.image) >= 128)
    except DataError:
        return None
