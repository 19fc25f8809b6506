"""HAM10000 as distributed by its authors: one metadata file, images in one or several directories.

Tschandl, Rosendahl & Kittler 2018, "The HAM10000 dataset". The same images are the training split of ISIC 2018
task 3, whose layout is read as well, see ``isic2018``.
"""

from pathlib import Path

import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import read_table
from lesionlens.core.taxonomy import ISIC2018_CLASSES, canonical_name
from lesionlens.datasets.file_layout import ISIC_ID, find_images, find_masks
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers import isic2018
from lesionlens.datasets.readers.base import DatasetReader, first_file
from lesionlens.datasets.validation import RawTable

METADATA_FILENAME = "HAM10000_metadata.csv"
HAM10000_MASK_DIRS = (*isic2018.MASK_DIRS, "masks")
_COLUMN_NAMES = {"dx_type": "diagnosis_method", "localization": "site", "dataset": "source"}
_COLUMNS = ("image_id", "diagnosis", "lesion_id", "diagnosis_method", "age", "sex", "site", "source")


def read_ham10000(root: Path, issues: IssueCollector) -> RawTable:
    """Read either distribution of the images.

    Raises
    ------
    DataError
        Neither layout is there, or the metadata lacks a column.
    """
    path = find_metadata(root)
    if path is None:
        if isic2018.has_ground_truth(root):
            return isic2018.read_isic2018(root, issues)
        raise DataError(
            f"{root} is not HAM10000: neither {METADATA_FILENAME} nor ISIC2018_Task3_*_GroundTruth.csv is there"
        )
    rows = rows_from_dx(read_table(path), path, issues)
    images = find_images(root, issues, id_pattern=ISIC_ID)
    return RawTable(rows, images, ISIC2018_CLASSES, find_masks(*(root / name for name in HAM10000_MASK_DIRS)))


def detect_ham10000(root: Path) -> bool:
    """Return whether the metadata file is there."""
    return find_metadata(root) is not None


def find_metadata(root: Path) -> Path | None:
    """Return the metadata file; Dataverse also provides it without an extension, or as tab-separated text."""
    names = (METADATA_FILENAME, "HAM10000_metadata", "HAM10000_metadata.tab")
    return first_file(*(root / name for name in names))


def rows_from_dx(frame: pd.DataFrame, path: Path, issues: IssueCollector) -> pd.DataFrame:
    """Convert the columns of HAM10000 to those of ``LesionTable``; rows with an unknown ``dx`` are errors.

    Raises
    ------
    DataError
        ``image_id``, ``lesion_id`` or ``dx`` is missing.
    """
    missing = [name for name in ("image_id", "lesion_id", "dx") if name not in frame]
    if missing:
        raise DataError(f"{path} lacks the column {missing[0]!r}; it has {', '.join(frame.columns)}")
    labels = frame["dx"].map(_diagnosis_of_dx)
    cases = [
        f"{name} {dx!r}" for name, dx in frame.loc[labels == "", ["image_id", "dx"]].itertuples(index=False)
    ]
    issues.add_error("unknown labels", cases, hint="HAM10000 has only mel, nv, bcc, akiec, bkl, df and vasc.")
    rows = frame.rename(columns=_COLUMN_NAMES).assign(diagnosis=labels)
    return rows[[name for name in _COLUMNS if name in rows]][labels != ""]


def _diagnosis_of_dx(dx: str) -> str:
    try:
        name = canonical_name(dx)
    except DataError:
        return ""
    return name if name in ISIC2018_CLASSES else ""


HAM10000_READER = DatasetReader(
    title="HAM10000",
    read=read_ham10000,
    detect=detect_ham10000,
    license="CC BY-NC 4.0",
    citation="Tschandl, Rosendahl & Kittler 2018, The HAM10000 dataset, Scientific Data 5:180161",
    url="https://doi.org/10.7910/DVN/DBW86T",
    expected={"": 10015},
)
