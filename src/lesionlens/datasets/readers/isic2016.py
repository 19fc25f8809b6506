"""ISBI 2016, part 3: melanoma (here "malignant") against benign lesions, with official training and test splits.

Gutman et al. 2016, "Skin lesion analysis toward melanoma detection: a challenge at ISBI 2016". Part 3B has the
same task, with a lesion mask next to each image; its directories are read as well.
"""

import re
from pathlib import Path

import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import read_table
from lesionlens.core.taxonomy import ISIC2016_CLASSES
from lesionlens.datasets.file_layout import ISIC_ID, find_by_pattern, find_images, find_masks
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers.base import DatasetReader, SplitFiles, first_file, warn_missing_splits
from lesionlens.datasets.validation import RawTable

_SPLITS = (SplitFiles("train", "Training"), SplitFiles("test", "Test"))
_PART3B_MASK = re.compile(r"(?P<id>ISIC_\d+)_Segmentation\.png", re.IGNORECASE)
# The training split has words as labels, the test split numbers.
_DIAGNOSIS_OF_LABEL = {
    "benign": "benign",
    "0": "benign",
    "0.0": "benign",
    "malignant": "melanoma",
    "1": "melanoma",
    "1.0": "melanoma",
}


def read_isic2016(root: Path, issues: IssueCollector) -> RawTable:
    """Read the splits in ``root``; one missing split is a warning.

    Raises
    ------
    DataError
        No split is there, or a ground truth differs from the official file.
    """
    truths = {files: path for files in _SPLITS if (path := _ground_truth_path(root, files))}
    if not truths:
        raise DataError(f"{root} is not ISBI 2016 part 3: no ISBI2016_ISIC_Part3_*_GroundTruth.csv is there")
    warn_missing_splits(issues, [files.split for files in _SPLITS if files not in truths])
    rows = pd.concat(
        [_read_split(path, files.split, issues) for files, path in truths.items()], ignore_index=True
    )
    part3b_dirs = [root / f"ISBI2016_ISIC_Part3B_{files.name}_Data" for files in _SPLITS]
    part3b_masks = find_by_pattern(_PART3B_MASK, *part3b_dirs)
    part1_masks = find_masks(*(root / f"ISBI2016_ISIC_Part1_{files.name}_GroundTruth" for files in _SPLITS))
    masks = {image: paths[0] for image, paths in part3b_masks.items()} | part1_masks
    return RawTable(rows, find_images(root, id_pattern=ISIC_ID), ISIC2016_CLASSES, masks)


def detect_isic2016(root: Path) -> bool:
    """Return whether the ground truth of any split is there."""
    return any(_ground_truth_path(root, files) for files in _SPLITS)


def _ground_truth_path(root: Path, files: SplitFiles) -> Path | None:
    return first_file(
        *(root / f"ISBI2016_ISIC_{part}_{files.name}_GroundTruth.csv" for part in ("Part3", "Part3B"))
    )


def _read_split(path: Path, split: str, issues: IssueCollector) -> pd.DataFrame:
    truth = read_table(path, column_names=("image_id", "label"))
    diagnosis = truth["label"].str.lower().map(lambda label: _DIAGNOSIS_OF_LABEL.get(label, ""))
    unknown = truth.loc[diagnosis == "", ["image_id", "label"]].itertuples(index=False)
    issues.add_error(
        "labels that are neither benign nor malignant",
        [f"{path.name}: {name} {label!r}" for name, label in unknown],
        hint="Download the official ground truth again.",
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
