"""ISIC 2018, task 3: the challenge's distribution of HAM10000, with validation and test parts.

Codella et al. 2019, "Skin lesion analysis toward melanoma detection 2018", arXiv:1902.03368.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import read_table
from lesionlens.core.taxonomy import DIAGNOSES, ISIC2018_CLASSES
from lesionlens.datasets.file_layout import ISIC_ID, find_images, find_masks
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers import isic2018_task1
from lesionlens.datasets.readers.base import DatasetReader
from lesionlens.datasets.validation import RawTable


def read_one_hot(path: Path, codes: Mapping[str, str], issues: IssueCollector) -> pd.DataFrame:
    """Read the file with its other columns as they are, ``image`` as ``image_id`` and the class as ``diagnosis``.

    Parameters
    ----------
    path
        The CSV file.
    codes
        Column to canonical diagnosis.
    issues
        Where rows without exactly one 1 are noted; they are dropped.

    Raises
    ------
    DataError
        The column ``image`` or that of a class is missing.
    """
    truth = read_table(path)
    lacking = [name for name in ("image", *codes) if name not in truth]
    if lacking:
        raise DataError(f"{path} lacks the column {lacking[0]!r}; it has {', '.join(truth.columns)}")
    numbers = np.stack([pd.to_numeric(truth[code], errors="coerce").to_numpy(np.float64) for code in codes])
    single: npt.NDArray[np.bool_] = np.isin(numbers, [0, 1]).all(axis=0) & ((numbers == 1).sum(axis=0) == 1)
    issues.add_error(
        "rows without exactly one diagnosis",
        [f"{path.name}: {name}" for name in truth["image"][~single]],
        hint=f"One of {', '.join(codes)} must be 1 and the others 0; fetch the official ground truth again.",
    )
    names = np.array(list(codes.values()), dtype=object)[(numbers == 1).argmax(axis=0)]
    return (
        truth.drop(columns=list(codes)).rename(columns={"image": "image_id"}).assign(diagnosis=names)[single]
    )


class _SplitFiles(NamedTuple):
    split: str
    prefix: str  # of every file and folder of the part, as the organisers named them


_SPLITS = (
    _SplitFiles("train", "ISIC2018_Task3_Training"),
    _SplitFiles("validation", "ISIC2018_Task3_Validation"),
    _SplitFiles("test", "ISIC2018_Task3_Test"),
)
MASK_DIRS = ("HAM10000_segmentations_lesion_tschandl",)
_CODES = {DIAGNOSES[name].code: name for name in ISIC2018_CLASSES}
# The challenge spells out what HAM10000 abbreviates.
_METHOD_SPELLINGS = {
    "histopathology": "histo",
    "serial imaging showing no change": "follow_up",
    "single image expert consensus": "consensus",
    "confocal microscopy with consensus dermoscopy": "confocal",
}


def read_isic2018(root: Path, issues: IssueCollector) -> RawTable:
    """Read the parts whose ground truth lies in ``root``; a part without labels is skipped with a warning.

    Raises
    ------
    DataError
        There is no ground truth at all, or one is not what the organisers published.
    """
    truths = {each: path for each in _SPLITS if (path := _ground_truth_path(root, each))}
    if not truths:
        raise DataError(f"{root} is not ISIC 2018 task 3: no ISIC2018_Task3_*_GroundTruth.csv is there")
    unlabelled = [each for each in _SPLITS if each not in truths]
    issues.add_warning(
        "official parts without labels",
        [each.split for each in unlabelled],
        hint="They are left out; fetch their ground truth to use them.",
    )
    rows = pd.concat(
        [_read_split(path, each.split, issues) for each, path in truths.items()], ignore_index=True
    )
    groupings = _read_lesion_groupings(root)
    issues.add_warning(
        "files of lesion groupings that are not there",
        ["ISIC2018_Task3_Training_LesionGroupings.csv"] if groupings.empty else [],
        hint="Fetch it: without it a split cannot keep the images of one lesion together.",
    )
    rows = rows.merge(groupings, on="image_id", how="left").fillna("")
    found = find_images(root, issues, id_pattern=ISIC_ID)
    skipped = {*(f"{each.prefix}_Input" for each in unlabelled), *isic2018_task1.INPUT_DIRS}
    images = {name: path for name, path in found.images.items() if path.parent.name not in skipped}
    masks = find_masks(*(root / name for name in (*MASK_DIRS, *isic2018_task1.GROUND_TRUTH_DIRS)))
    return RawTable(rows, found._replace(images=images), ISIC2018_CLASSES, masks)


def has_ground_truth(root: Path) -> bool:
    """Tell whether any part's ground truth is there."""
    return any(_ground_truth_path(root, each) for each in _SPLITS)


def _ground_truth_path(root: Path, files: _SplitFiles) -> Path | None:
    """Find the labels beside the images, or in a folder of their own as in the official zip."""
    name = f"{files.prefix}_GroundTruth"
    places = (root / f"{name}.csv", root / name / f"{name}.csv")
    return next((path for path in places if path.is_file()), None)


def _read_split(path: Path, split: str, issues: IssueCollector) -> pd.DataFrame:
    return read_one_hot(path, _CODES, issues)[["image_id", "diagnosis"]].assign(split=split)


def _read_lesion_groupings(root: Path) -> pd.DataFrame:
    """Read which images show one lesion, and how each diagnosis was made."""
    sheets = [read_table(path) for each in _SPLITS for path in _grouping_files(root, each)]
    told = [sheet for sheet in sheets if {"image", "lesion_id"} <= set(sheet.columns)]
    if not told:
        return pd.DataFrame({"image_id": pd.Series(dtype=object)})
    names = {"image": "image_id", "diagnosis_confirm_type": "diagnosis_method"}
    rows = pd.concat(told, ignore_index=True).rename(columns=names).fillna("")
    if "diagnosis_method" in rows:
        methods = [_METHOD_SPELLINGS.get(text.casefold(), text) for text in rows["diagnosis_method"]]
        rows["diagnosis_method"] = methods
    kept = [name for name in ("image_id", "lesion_id", "diagnosis_method") if name in rows]
    return pd.DataFrame(rows[kept].drop_duplicates("image_id"))


def _grouping_files(root: Path, files: _SplitFiles) -> list[Path]:
    name = f"{files.prefix}_LesionGroupings.csv"
    places = (root / name, root / f"{files.prefix}_GroundTruth" / name)
    return [path for path in places if path.is_file()][:1]


ISIC2018_READER = DatasetReader(
    title="ISIC 2018, task 3",
    read=read_isic2018,
    detect=has_ground_truth,
    license="CC BY-NC 4.0",
    citation="Codella et al. 2019, arXiv:1902.03368; Tschandl, Rosendahl & Kittler 2018, Sci. Data 5:180161",
    url="https://challenge.isic-archive.com/data/#2018",
    expected={"train": 10015, "validation": 193, "test": 1512},
)
