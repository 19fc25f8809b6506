"""ISIC 2018, tasks 1 and 2: images with lesion masks and attributes but without diagnoses.

Codella et al. 2019, arXiv:1902.03368. Enough to train a segmentation; the thesis of AttnMel makes the masks of
task 3, whose images are others, with a network trained on these.
"""

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.datasets.file_layout import ISIC_ID, find_by_pattern, find_images, find_masks
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers.base import DatasetReader
from lesionlens.datasets.validation import RawTable


class _SplitFiles(NamedTuple):
    split: str
    name: str  # of the part, as the organisers wrote it

    @property
    def ground_truth_dir(self) -> str:
        return f"ISIC2018_Task1_{self.name}_GroundTruth"

    @property
    def input_dir(self) -> str:
        return f"ISIC2018_Task1-2_{self.name}_Input"


_SPLITS = (
    _SplitFiles("train", "Training"),
    _SplitFiles("validation", "Validation"),
    _SplitFiles("test", "Test"),
)
GROUND_TRUTH_DIRS = tuple(each.ground_truth_dir for each in _SPLITS)
INPUT_DIRS = tuple(each.input_dir for each in _SPLITS)
_ATTRIBUTE_FILE = re.compile(r"(?P<id>ISIC_\d+)_attribute_\w+\.png", re.IGNORECASE)


def read_isic2018_task1(root: Path, issues: IssueCollector) -> RawTable:
    """Read the parts whose images lie in ``root``, without diagnoses; images without a mask stay, and are told.

    Raises
    ------
    DataError
        No folder of masks is there.
    """
    if not detect_isic2018_task1(root):
        raise DataError(f"{root} is not ISIC 2018 task 1: none of {', '.join(GROUND_TRUTH_DIRS)} is there")
    found = find_images(root, issues, id_pattern=ISIC_ID)
    images = {name: path for name, path in sorted(found.images.items()) if path.parent.name in INPUT_DIRS}
    part_of = {each.input_dir: each.split for each in _SPLITS}
    parts = [part_of[path.parent.name] for path in images.values()]
    issues.add_warning(
        "official parts that are not there",
        [each.split for each in _SPLITS if each.split not in parts],
        hint="Fetch them to train and compare as others do.",
    )
    masks = find_masks(*(root / name for name in GROUND_TRUTH_DIRS))
    issues.add_warning(
        "images without a mask", [name for name in images if name not in masks], hint="They stay."
    )
    versions = [path for path in sorted(root.glob("ISIC2018_Task2_*_GroundTruth*")) if path.is_dir()]
    attributes = find_by_pattern(_ATTRIBUTE_FILE, *versions)
    rows = pd.DataFrame({"image_id": list(images), "diagnosis": "", "split": parts}, dtype=object)
    rows["feature_mask_paths"] = [";".join(map(str, attributes.get(name, ()))) for name in images]
    return RawTable(rows, found._replace(images=images), (), masks)


def detect_isic2018_task1(root: Path) -> bool:
    """Tell whether any part's masks are there."""
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
