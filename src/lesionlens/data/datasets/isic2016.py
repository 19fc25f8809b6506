"""ISBI 2016, part 3: melanoma (here "malignant") against everything benign; official training and test parts.

Gutman et al. 2016, "Skin lesion analysis toward melanoma detection: a challenge at ISBI 2016". Part 3B has the
same task on images whose lesion mask lies beside them; its folders are read as well.
"""

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionlens.data.assemble import Draft
from lesionlens.data.datasets.record import DataSet
from lesionlens.data.layout import ISIC_ID, find_images, find_masks, find_parts
from lesionlens.data.problems import Problems
from lesionlens.data.sheet import read_sheet
from lesionlens.data.taxonomy import ISIC2016_CLASSES
from lesionlens.errors import DataError


class _Part(NamedTuple):
    part: str
    name: str  # of the part, as the organisers wrote it


_PARTS = (_Part("train", "Training"), _Part("test", "Test"))
_BESIDE = re.compile(r"(?P<id>ISIC_\d+)_Segmentation\.png", re.IGNORECASE)
# Training is labelled in words, test in numbers.
_LABELS = {
    "benign": "benign",
    "0": "benign",
    "0.0": "benign",
    "malignant": "melanoma",
    "1": "melanoma",
    "1.0": "melanoma",
}


def read(root: Path, problems: Problems) -> Draft:
    """Read the parts that lie in ``root``; a missing part is a warning as long as there is the other.

    Raises
    ------
    DataError
        There is no part at all, or a ground truth is not what the organisers published.
    """
    truths = {each: path for each in _PARTS if (path := _truth(root, each))}
    if not truths:
        raise DataError(f"{root} is not ISBI 2016 part 3: no ISBI2016_ISIC_Part3_*_GroundTruth.csv is there")
    problems.warn(
        "official parts that are not there",
        [each.part for each in _PARTS if each not in truths],
        do="Fetch them to train and compare as others do.",
    )
    rows = pd.concat([_rows(path, each.part, problems) for each, path in truths.items()], ignore_index=True)
    beside = find_parts(_BESIDE, *(root / f"ISBI2016_ISIC_Part3B_{each.name}_Data" for each in _PARTS))
    drawn = find_masks(*(root / f"ISBI2016_ISIC_Part1_{each.name}_GroundTruth" for each in _PARTS))
    masks = {image: paths[0] for image, paths in beside.items()} | drawn
    return Draft(rows, find_images(root, problems, ids=ISIC_ID), ISIC2016_CLASSES, masks)


def recognise(root: Path) -> bool:
    """Tell whether any part's ground truth is there."""
    return any(_truth(root, each) for each in _PARTS)


def _truth(root: Path, each: _Part) -> Path | None:
    paths = (root / f"ISBI2016_ISIC_{part}_{each.name}_GroundTruth.csv" for part in ("Part3", "Part3B"))
    return next((path for path in paths if path.is_file()), None)


def _rows(path: Path, part: str, problems: Problems) -> pd.DataFrame:
    truth = read_sheet(path, header=("image_id", "label"))
    diagnosis = truth["label"].str.lower().map(lambda label: _LABELS.get(label, ""))
    strangers = truth.loc[diagnosis == "", ["image_id", "label"]].itertuples(index=False)
    problems.error(
        "labels that are neither benign nor malignant",
        [f"{path.name}: {name} {label!r}" for name, label in strangers],
        do="Fetch the official ground truth again.",
    )
    return pd.DataFrame({"image_id": truth["image_id"], "diagnosis": diagnosis, "part": part})


RECORD = DataSet(
    title="ISBI 2016, part 3",
    read=read,
    recognise=recognise,
    licence="CC-0",
    citation="Gutman et al. 2016, Skin lesion analysis toward melanoma detection, arXiv:1605.01397",
    url="https://challenge.isic-archive.com/data/#2016",
    expected={"train": 900, "test": 379},
)
