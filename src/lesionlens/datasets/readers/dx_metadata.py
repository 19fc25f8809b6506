"""Metadata of HAM10000 as its authors distribute it, with the diagnosis in the column ``dx``.

They distribute the ground truth of the test split of ISIC 2018 task 3 with the same columns.
"""

from pathlib import Path

import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.core.taxonomy import ISIC2018_CLASSES, canonical_or_raw
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers.base import first_file

METADATA_FILENAME = "HAM10000_metadata.csv"
_COLUMN_NAMES = {"dx_type": "diagnosis_method", "localization": "site", "dataset": "source"}
_COLUMNS = ("image_id", "diagnosis", "lesion_id", "diagnosis_method", "age", "sex", "site", "source")


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
    name = canonical_or_raw(dx)
    return name if name in ISIC2018_CLASSES else ""
