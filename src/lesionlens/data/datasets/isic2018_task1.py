"""ISIC 2018, tasks 1 and 2: images with lesion masks and attributes but without diagnoses.

Codella et al. 2019, arXiv:1902.03368. Enough to train a segmentation; the thesis of AttnMel makes the masks of
task 3, whose images are others, with a network trained on these.
"""

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionlens.data.assemble import Draft
from lesionlens.data.datasets.record import DataSet
from lesionlens.data.layout import ISIC_ID, find_images, find_masks, find_parts
from lesionlens.data.problems import Problems
from lesionlens.errors import DataError


class _Part(NamedTuple):
    part: str
    name: str  # of the part, as the organisers wrote it

    @property
    def truth(self) -> str:
        return f"ISIC2018_Task1_{self.name}_GroundTruth"

    @property
    def input(self) -> str:
        return f"ISIC2018_Task1-2_{self.name}_Input"


_PARTS = (_Part("train", "Training"), _Part("validation", "Validation"), _Part("test", "Test"))
TRUTHS = tuple(each.truth for each in _PARTS)
INPUTS = tuple(each.input for each in _PARTS)
_ATTRIBUTES = re.compile(r"(?P<id>ISIC_\d+)_attribute_\w+\.png", re.IGNORECASE)


def read(root: Path, problems: Problems) -> Draft:
    """Read the parts whose images lie in ``root``, without diagnoses; images without a mask stay, and are told.

    Raises
    ------
    DataError
        No folder of masks is there.
    """
    if not recognise(root):
        raise DataError(f"{root} is not ISIC 2018 task 1: none of {', '.join(TRUTHS)} is there")
    found = find_images(root, problems, ids=ISIC_ID)
    images = {name: path for name, path in sorted(found.images.items()) if path.parent.name in INPUTS}
    part_of = {each.input: each.part for each in _PARTS}
    parts = [part_of[path.parent.name] for path in images.values()]
    problems.warn(
        "official parts that are not there",
        [each.part for each in _PARTS if each.part not in parts],
        do="Fetch them to train and compare as others do.",
    )
    masks = find_masks(*(root / name for name in TRUTHS))
    problems.warn("images without a mask", [name for name in images if name not in masks], do="They stay.")
    versions = [path for path in sorted(root.glob("ISIC2018_Task2_*_GroundTruth*")) if path.is_dir()]
    attributes = find_parts(_ATTRIBUTES, *versions)
    rows = pd.DataFrame({"image_id": list(images), "diagnosis": "", "part": parts}, dtype=object)
    rows["feature_mask_paths"] = [";".join(map(str, attributes.get(name, ()))) for name in images]
    return Draft(rows, found._replace(images=images), (), masks)


def recognise(root: Path) -> bool:
    """Tell whether any part's masks are there."""
    return any((root / name).is_dir() for name in TRUTHS)


RECORD = DataSet(
    title="ISIC 2018, task 1",
    read=read,
    recognise=recognise,
    licence="CC BY-NC 4.0",
    citation="Codella et al. 2019, Skin lesion analysis toward melanoma detection 2018, arXiv:1902.03368",
    url="https://challenge.isic-archive.com/data/#2018",
    expected={"train": 2594, "validation": 100, "test": 1000},
)
