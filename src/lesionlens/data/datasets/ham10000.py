"""HAM10000 as its authors distribute it: one metadata file, images in one or several folders.

Tschandl, Rosendahl & Kittler 2018, "The HAM10000 dataset". The same images are the training part of ISIC 2018
task 3; that layout is read too, see ``isic2018``.
"""

from pathlib import Path

import pandas as pd

from lesionlens.data.assemble import Draft
from lesionlens.data.datasets import isic2018
from lesionlens.data.datasets.record import DataSet
from lesionlens.data.layout import ISIC_ID, find_images, find_masks
from lesionlens.data.problems import Problems
from lesionlens.data.sheet import read_sheet
from lesionlens.data.taxonomy import ISIC2018_CLASSES, canonical
from lesionlens.errors import DataError

METADATA = "HAM10000_metadata.csv"
MASKS = (*isic2018.MASKS, "masks")
_NAMES = {"dx_type": "diagnosis_method", "localization": "site", "dataset": "source"}
_KEPT = ("image_id", "diagnosis", "lesion_id", "diagnosis_method", "age", "sex", "site", "source")


def read(root: Path, problems: Problems) -> Draft:
    """Read either distribution.

    Raises
    ------
    DataError
        Neither layout is there, or the metadata lacks a column.
    """
    path = metadata(root)
    if path is None:
        if isic2018.has_truth(root):
            return isic2018.read(root, problems)
        raise DataError(
            f"{root} is not HAM10000: neither {METADATA} nor ISIC2018_Task3_*_GroundTruth.csv is there"
        )
    rows = dx_rows(read_sheet(path), path, problems)
    found = find_images(root, problems, ids=ISIC_ID)
    return Draft(rows, found, ISIC2018_CLASSES, find_masks(*(root / name for name in MASKS)))


def recognise(root: Path) -> bool:
    """Tell whether the metadata file is there."""
    return metadata(root) is not None


def metadata(root: Path) -> Path | None:
    """Find the metadata; Dataverse also serves it without a suffix, or as tab-separated text."""
    names = (METADATA, "HAM10000_metadata", "HAM10000_metadata.tab")
    return next((root / name for name in names if (root / name).is_file()), None)


def dx_rows(sheet: pd.DataFrame, path: Path, problems: Problems) -> pd.DataFrame:
    """Turn the columns of HAM10000 into ours; unknown ``dx`` codes are noted and dropped.

    Raises
    ------
    DataError
        ``image_id``, ``lesion_id`` or ``dx`` is missing.
    """
    lacking = [name for name in ("image_id", "lesion_id", "dx") if name not in sheet]
    if lacking:
        raise DataError(f"{path} lacks the column {lacking[0]!r}; it has {', '.join(sheet.columns)}")
    labels = sheet["dx"].map(_class)
    cases = [
        f"{name} {dx!r}" for name, dx in sheet.loc[labels == "", ["image_id", "dx"]].itertuples(index=False)
    ]
    problems.error(
        "labels that are not known", cases, do="HAM10000 has mel, nv, bcc, akiec, bkl, df and vasc alone."
    )
    rows = sheet.rename(columns=_NAMES).assign(diagnosis=labels)
    return rows[[name for name in _KEPT if name in rows]][labels != ""]


def _class(dx: str) -> str:
    try:
        name = canonical(dx)
    except DataError:
        return ""
    return name if name in ISIC2018_CLASSES else ""


RECORD = DataSet(
    title="HAM10000",
    read=read,
    recognise=recognise,
    licence="CC BY-NC 4.0",
    citation="Tschandl, Rosendahl & Kittler 2018, The HAM10000 dataset, Scientific Data 5:180161",
    url="https://doi.org/10.7910/DVN/DBW86T",
    expected={"": 10015},
)
