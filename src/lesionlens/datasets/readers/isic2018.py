"""ISIC 2018, task 3: HAM10000 as distributed by the challenge, with validation and test splits.

Codella et al. 2019, "Skin lesion analysis toward melanoma detection 2018", arXiv:1902.03368.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import read_table
from lesionlens.core.taxonomy import DIAGNOSES, ISIC2018_CLASSES
from lesionlens.datasets.file_layout import ISIC_ID, find_images, find_masks
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers import isic2018_task1
from lesionlens.datasets.readers.base import (
    DatasetReader,
    SplitFiles,
    empty_metadata,
    first_file,
    warn_unlabeled_splits,
)
from lesionlens.datasets.readers.dx_metadata import find_metadata, rows_from_dx
from lesionlens.datasets.validation import RawTable


def read_one_hot(path: Path, codes: Mapping[str, str], issues: IssueCollector) -> pd.DataFrame:
    """Read a one-hot ground truth, with the columns ``image_id`` and ``diagnosis`` and all columns but the classes.

    Parameters
    ----------
    path
        CSV file with a column ``image`` or ``image_id``.
    codes
        Canonical diagnosis of each class column.
    issues
        Collector of errors: rows without exactly one 1, which are dropped.

    Raises
    ------
    DataError
        The column ``image`` or a class column is missing.
    """
    truth = read_table(path)
    if "image" not in truth:
        truth = truth.rename(columns={"image_id": "image"})
    missing = [name for name in ("image", *codes) if name not in truth]
    if missing:
        raise DataError(f"{path} lacks the column {missing[0]!r}; it has {', '.join(truth.columns)}")
    numbers = np.stack([pd.to_numeric(truth[code], errors="coerce").to_numpy(np.float64) for code in codes])
    single: npt.NDArray[np.bool_] = np.isin(numbers, [0, 1]).all(axis=0) & ((numbers == 1).sum(axis=0) == 1)
    issues.add_error(
        "rows without exactly one diagnosis",
        [f"{path.name}: {name}" for name in truth["image"][~single]],
        hint=f"One of {', '.join(codes)} must be 1 and the others 0; download the official ground truth again.",
    )
    names = np.array(list(codes.values()), dtype=object)[(numbers == 1).argmax(axis=0)]
    return (
        truth.drop(columns=list(codes)).rename(columns={"image": "image_id"}).assign(diagnosis=names)[single]
    )


_SPLITS = (
    SplitFiles("train", "ISIC2018_Task3_Training"),
    SplitFiles("validation", "ISIC2018_Task3_Validation"),
    SplitFiles("test", "ISIC2018_Task3_Test"),
)
MASK_DIRS = ("HAM10000_segmentations_lesion_tschandl",)
_CODES = {DIAGNOSES[name].code: name for name in ISIC2018_CLASSES}
# The challenge spells out the abbreviations of HAM10000.
_METHOD_SPELLINGS = {
    "histopathology": "histo",
    "serial imaging showing no change": "follow_up",
    "single image expert consensus": "consensus",
    "confocal microscopy with consensus dermoscopy": "confocal",
}


def _image_dirs(files: SplitFiles) -> tuple[str, str]:
    """Return the directories of images as the challenge and the authors of HAM10000 distribute them."""
    return f"{files.name}_Input", f"{files.name}_Images"


TEST_DIRS = _image_dirs(_SPLITS[-1])


def read_isic2018(root: Path, issues: IssueCollector) -> RawTable:
    """Read the splits whose ground truth is in ``root``; splits without labels are excluded with a warning.

    Raises
    ------
    DataError
        No ground truth is there, or one differs from the official file.
    """
    truths = {files: path for files in _SPLITS if (path := _ground_truth_path(root, files))}
    if not truths:
        raise DataError(f"{root} is not ISIC 2018 task 3: no ISIC2018_Task3_*_GroundTruth.csv is there")
    metadata = find_metadata(root)  # the training split, if the folder is that of the authors of HAM10000
    if metadata is not None:
        truths = {_SPLITS[0]: metadata} | truths
    unlabeled = [files for files in _SPLITS if files not in truths]
    warn_unlabeled_splits(issues, [files.split for files in unlabeled])
    rows = pd.concat(
        [_read_split(path, files.split, issues) for files, path in truths.items()], ignore_index=True
    )
    rows = _add_lesion_groupings(rows.fillna(""), root, issues)
    index = find_images(root, id_pattern=ISIC_ID)
    skipped = {*isic2018_task1.INPUT_DIRS, *(name for files in unlabeled for name in _image_dirs(files))}
    index = index.select(lambda _, path: path.parent.name not in skipped)
    masks = find_masks(*(root / name for name in (*MASK_DIRS, *isic2018_task1.GROUND_TRUTH_DIRS)))
    return RawTable(rows, index, ISIC2018_CLASSES, masks)


def has_ground_truth(root: Path) -> bool:
    """Return whether the ground truth of any split is there."""
    return any(_ground_truth_path(root, files) for files in _SPLITS)


def _ground_truth_path(root: Path, files: SplitFiles) -> Path | None:
    """Return the label file, in ``root`` or in a separate directory as in the official archive."""
    name = f"{files.name}_GroundTruth"
    return first_file(root / f"{name}.csv", root / name / f"{name}.csv", root / f"{name}.tab")


def _read_split(path: Path, split: str, issues: IssueCollector) -> pd.DataFrame:
    """Read a ground truth of the challenge, or of the authors of HAM10000, who serve it with a column ``dx``."""
    truth = read_table(path)
    if "dx" in truth:
        return rows_from_dx(truth, path, issues).assign(split=split)
    return read_one_hot(path, _CODES, issues)[["image_id", "diagnosis"]].assign(split=split)


def _add_lesion_groupings(rows: pd.DataFrame, root: Path, issues: IssueCollector) -> pd.DataFrame:
    """Add the lesion and the confirmation of each image, unless the ground truth has them."""
    groupings = _read_lesion_groupings(root).set_index("image_id")
    for column in groupings:
        added = rows["image_id"].map(groupings[column]).fillna("")
        rows[column] = rows[column].where(rows[column] != "", added) if column in rows else added
    issues.add_warning(
        "missing lesion groupings",
        ["ISIC2018_Task3_Training_LesionGroupings.csv"] if "lesion_id" not in rows else [],
        hint="Download the file: without it, splits cannot keep the images of one lesion together.",
    )
    return rows


def _read_lesion_groupings(root: Path) -> pd.DataFrame:
    """Read the lesion of each image, and how its diagnosis was confirmed."""
    tables = [read_table(path) for files in _SPLITS if (path := _grouping_file(root, files))]
    groupings = [table for table in tables if {"image", "lesion_id"} <= set(table.columns)]
    if not groupings:
        return empty_metadata()
    names = {"image": "image_id", "diagnosis_confirm_type": "diagnosis_method"}
    rows = pd.concat(groupings, ignore_index=True).rename(columns=names).fillna("")
    if "diagnosis_method" in rows:
        methods = [_METHOD_SPELLINGS.get(text.casefold(), text) for text in rows["diagnosis_method"]]
        rows["diagnosis_method"] = methods
    columns = [name for name in ("image_id", "lesion_id", "diagnosis_method") if name in rows]
    return pd.DataFrame(rows[columns].drop_duplicates("image_id"))


def _grouping_file(root: Path, files: SplitFiles) -> Path | None:
    name = f"{files.name}_LesionGroupings.csv"
    return first_file(root / name, root / f"{files.name}_GroundTruth" / name)


ISIC2018_READER = DatasetReader(
    title="ISIC 2018, task 3",
    read=read_isic2018,
    detect=has_ground_truth,
    license="CC BY-NC 4.0",
    citation="Codella et al. 2019, arXiv:1902.03368; Tschandl, Rosendahl & Kittler 2018, Sci. Data 5:180161",
    url="https://challenge.isic-archive.com/data/#2018",
    expected={"train": 10015, "validation": 193, "test": 1512},
)
