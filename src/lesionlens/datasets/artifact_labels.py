"""Labels of artifacts: which images show hair, a ruler, gel bubbles and so on.

A label file is a CSV or Parquet table with a column ``image_id`` and one column per artifact. Synthetic datasets and
copies of ``data inject-artifact`` contain one; for real images it is the user's.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.core.missing import is_missing
from lesionlens.core.tabular import read_table
from lesionlens.datasets.image_ids import match_image_ids
from lesionlens.datasets.table import LesionTable
from lesionlens.datasets.table_columns import IMAGE_NAME_COLUMNS, is_known_column

ARTIFACT_LABELS_FILE = "artifacts.csv"
"""Label file in a dataset's directory, or next to a custom table."""
ANY_ARTIFACT = "any"
"""Name of the comparison of images with at least one artifact and images without any."""
_PRESENT = frozenset({"1", "1.0", "true", "yes"})
_ABSENT = frozenset({"0", "0.0", "false", "no"})


def load_artifact_labels(table: LesionTable) -> pd.DataFrame:
    """Return the labels of a table's own ``artifacts.csv`` as ``read_artifact_labels``; without the file, no columns.

    Raises
    ------
    DataError
        The file cannot be used; that it names no image of the table is not an error.
    """
    path = (table.root if table.root.is_dir() else table.root.parent) / ARTIFACT_LABELS_FILE
    image_ids = table.frame["image_id"].astype(str).tolist()
    if not path.is_file():
        return pd.DataFrame(index=range(len(image_ids)))
    return _read_labels(path, image_ids)


def read_artifact_labels(path: Path, image_ids: Sequence[str]) -> pd.DataFrame:
    """Return a row for each image and a column for each artifact.

    Parameters
    ----------
    path
        Label file. Columns of known metadata, such as ``diagnosis`` or ``skin_tone``, are ignored.
    image_ids
        Images of the rows; other images of the file are ignored.

    Returns
    -------
    DataFrame
        1 where the image shows the artifact, 0 where it does not, NaN where this is unknown.

    Raises
    ------
    DataError
        The file cannot be read, has no column of images or of artifacts, contains other values than 0 and 1,
        contradicts itself, or names none of the images.
    """
    labels = _read_labels(path, image_ids)
    if labels.isna().all(axis=None):
        raise DataError(
            f"{path} has a label of none of the {len(image_ids):,} images, for example {image_ids[0]}. Name images as "
            "in the dataset"
        )
    return labels


def _read_labels(path: Path, image_ids: Sequence[str]) -> pd.DataFrame:
    frame = read_table(path, normalize_columns=True)
    image_column = next((name for name in IMAGE_NAME_COLUMNS if name in frame), "")
    artifacts = [str(name) for name in frame if not is_known_column(str(name))]
    if not image_column or not artifacts:
        raise DataError(
            f"{path} must have a column image_id and one column of 0 and 1 per artifact, for example ruler. Its "
            f"columns: {', '.join(map(str, frame))}"
        )
    if ANY_ARTIFACT in artifacts:
        raise DataError(
            f"{path}: the column {ANY_ARTIFACT} has the name of the comparison of images with and "
            "without any artifact; remove or rename it"
        )
    labels = pd.DataFrame({name: _parse_labels(frame[name], path) for name in artifacts})
    labels.index = pd.Index(match_image_ids(frame[image_column].tolist(), image_ids))
    labels = labels[labels.index != ""]
    _check_repeated_images(labels, path)
    return labels[~labels.index.duplicated()].reindex(list(image_ids)).reset_index(drop=True)


def _parse_labels(cells: pd.Series, path: Path) -> pd.Series:
    """Return 1, 0 or NaN for each cell of an artifact's column."""
    text = cells.astype(str).str.strip().str.lower()
    unknown = text.map(is_missing)
    unexpected = cells[~text.isin(_PRESENT | _ABSENT) & ~unknown]
    if len(unexpected):
        raise DataError(
            f"{path}: the column {cells.name} contains {unexpected.iloc[0]!r}; the column of an artifact contains 1 "
            "(the image shows it), 0 (it does not) or nothing (unknown). Correct the cell, or remove a column "
            "that is not an artifact"
        )
    return text.isin(_PRESENT).astype(np.float64).mask(unknown)


def _check_repeated_images(labels: pd.DataFrame, path: Path) -> None:
    for image_id, rows in labels[labels.index.duplicated(keep=False)].groupby(level=0):
        differing = [str(name) for name in rows if rows[name].nunique(dropna=False) > 1]
        if differing:
            raise DataError(
                f"{path} has two rows of image {image_id} that differ in {differing[0]}. Remove one"
            )
