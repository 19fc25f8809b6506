"""ISIC 2018, tasks 1 and 2: images with lesion masks and attributes but without diagnoses.

Codella et al. 2019, arXiv:1902.03368. They suffice to train a segmentation model. The AttnMel thesis predicts the masks
of task 3, which has other images, with a model trained on these.
"""

import re
from pathlib import Path

import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.datasets.file_layout import ISIC_ID, find_by_pattern, find_images, find_masks
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers.base import DatasetReader, SplitFiles, warn_missing_splits
from lesionlens.datasets.validation import RawTable

_SPLITS = (
    SplitFiles("train", "Training"),
    SplitFiles("validation", "Validation"),
    SplitFiles("test", "Test"),
)
GROUND_TRUTH_DIRS = tuple(f"ISIC2018_Task1_{files.name}_GroundTruth" for files in _SPLITS)
INPUT_DIRS = tuple(f"ISIC2018_Task1-2_{files.name}_Input" for files in _SPLITS)
_ATTRIBUTE_FILE = re.compile(r"(?P<id>ISIC_\d+)_attribute_\w+\.png", re.IGNORECASE)


def read_isic2018_task1(root: Path, issues: IssueCollector) -> RawTable:
    """Read the splits whose images are in ``root``, without diagnoses; images without a mask are reported and included.

    Raises
    ------
    DataError
        No directory of masks is there.
    """
    if not detect_isic2018_task1(root):
        raise DataError(f"{root} is not ISIC 2018 task 1: none of {', '.join(GROUND_TRUTH_DIRS)} is there")
    index = find_images(root, id_pattern=ISIC_ID)
    index = index.select(lambda _, path: path.parent.name in INPUT_DIRS)
    images = dict(sorted(index.images.items()))
    split_of_dir = {name: files.split for name, files in zip(INPUT_DIRS, _SPLITS, strict=True)}
    splits = [split_of_dir[path.parent.name] for path in images.values()]
    warn_missing_splits(issues, [files.split for files in _SPLITS if files.split not in splits])
    masks = find_masks(*(root / name for name in GROUND_TRUTH_DIRS))
    unmasked = [name for name in images if name not in masks]
    issues.add_warning("images without a mask", unmasked, hint="They are included.")
    attribute_dirs = [path for path in sorted(root.glob("ISIC2018_Task2_*_GroundTruth*")) if path.is_dir()]
    attributes = find_by_pattern(_ATTRIBUTE_FILE, *attribute_dirs)
    rows = pd.DataFrame({"image_id": list(images), "diagnosis": "", "split": splits}, dtype=object)
    rows["feature_mask_paths"] = [";".join(map(str, attributes.get(name, ()))) for name in images]
    return RawTable(rows, index, (), masks)


def detect_isic2018_task1(root: Path) -> bool:
    """Return whether the masks of any split are there."""
    return any((root / name).is_dir() for name in GROUND_TRUTH_DIRS)


ISIC2018_TASK1_READER = DatasetReader(
    title="ISIC 2018, task 1",
    read=read_isic2018_task1,
    detect=detect_isic2018_task1,
    license="CC BY-NC 4.0",
    citation="Codella et al. 2019, Skin lesion analysis toward melanoma detection 2018, arXiv:1902.03368",
    url="https://challenge.isic-archive.com/data/#2018",
    expected={"train": 2594, "validation": 100, "test": 1000},
)
