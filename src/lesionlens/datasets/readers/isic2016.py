"""ISBI 2016, part 3: melanoma (here "malignant") against everything benign; official training and test parts.

Gutman et al. 2016, "Skin lesion analysis toward melanoma detection: a challenge at ISBI 2016". Part 3B has the
same task on images whose lesion mask lies beside them; its folders are read as well.
"""

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import read_table
from lesionlens.core.taxonomy import ISIC2016_CLASSES
from lesionlens.datasets.file_layout import ISIC_ID, find_by_pattern, find_images, find_masks
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers.base import DatasetReader
from lesionlens.datasets.validation import RawTable


class _SplitFiles(NamedTuple):
    split: str
    name: str  # of the part, as the organisers wrote it


_SPLITS = (_SplitFiles("train", "Training"), _SplitFiles("test", "Test"))
_PART3B_MASK = re.compile(r"(?P<id>ISIC_\d+)_Segmentation\.png", re.IGNORECASE)
# Training is labelled in words, test in numbers.
_DIAGNOSIS_OF_LABEL = {
    "benign": "benign",
    "0": "benign",
    "0.0": "benign",
    "malignant": "melanoma",
    "1": "melanoma",
    "1.0": "melanoma",
}


def read_isic2016(root: Path, issues: IssueCollector) -> RawTable:
    """Read the parts that lie in ``root``; a missing part is a warning as long as there is the other.

    Raises
    ------
    DataError
        There is no part at all, or a ground truth is not what the organisers published.
    """
    truths = {each: path for each in _SPLITS if (path := _ground_truth_path(root, each))}
    if not truths:
        raise DataError(f"{root} is not ISBI 2016 part 3: no ISBI2016_ISIC_Part3_*_GroundTruth.csv is there")
    issues.add_warning(
        "official parts that are not there",
        [each.split for each in _SPLITS if each not in truths],
        hint="Fetch them to train and compare as others do.",
    )
    rows = pd.concat(
        [_read_split(path, each.split, issues) for each, path in truths.items()], ignore_index=True
    )
    beside = find_by_pattern(
        _PART3B_MASK, *(root / f"ISBI2016_ISIC_Part3B_{each.name}_Data" for each in _SPLITS)
    )
    drawn = find_masks(*(root / f"ISBI2016_ISIC_Part1_{each.name}_GroundTruth" for each in _SPLITS))
    masks = {image: paths[0] for image, paths in beside.items()} | drawn
    return RawTable(rows, find_images(root, issues, id_pattern=ISIC_ID), ISIC2016_CLASSES, masks)


def detect_isic2016(root: Path) -> bool:
    """Tell whether any part's ground truth is there."""
    return any(_ground_truth_path(root, each) for each in _SPLITS)


def _ground_truth_path(root: Path, files: _SplitFiles) -> Path | None:
    paths = (root / f"ISBI2016_ISIC_{part}_{files.name}_GroundTruth.csv" for part in ("Part3", "Part3B"))
    return next((path for path in paths if path.is_file()), None)


def _read_split(path: Path, split: str, issues: IssueCollector) -> pd.DataFrame:
    truth = read_table(path, column_names=("image_id", "label"))
    diagnosis = truth["label"].str.lower().map(lambda label: _DIAGNOSIS_OF_LABEL.get(label, ""))
    strangers = truth.loc[diagnosis == "", ["image_id", "label"]].itertuples(index=False)
    issues.add_error(
        "labels that are neither benign nor malignant",
        [f"{path.name}: {name} {label!r}" for name, label in strangers],
        hint="Fetch the official ground truth again.",
    )
    return pd.DataFrame({"image_id": truth["image_id"], "diagnosis": diagnosis, "split": split})


ISIC2016_READER = DatasetReader(
    title="ISBI 2016, part 3",
    read=read_isic2016,
    detect=detect_isic2016,
    license="CC-0",
    citation="Gutman et al. 2016, Skin lesion analysis toward melanoma detection, arXiv:1605.01397",
    url="https://challenge.isic-archive.com/data/#2016",
    expected={"train": 900, "test": 379},
)
