"""ISIC 2018, task 3: the challenge's distribution of HAM10000, with validation and test parts.

Codella et al. 2019, "Skin lesion analysis toward melanoma detection 2018", arXiv:1902.03368.
"""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionlens.data.assemble import Draft
from lesionlens.data.datasets import isic2018_task1
from lesionlens.data.datasets.one_hot import read_one_hot
from lesionlens.data.datasets.record import DataSet
from lesionlens.data.layout import ISIC_ID, find_images, find_masks
from lesionlens.data.problems import Problems
from lesionlens.data.sheet import read_sheet
from lesionlens.data.taxonomy import DIAGNOSES, ISIC2018_CLASSES
from lesionlens.errors import DataError


class _Part(NamedTuple):
    part: str
    stem: str  # of every file and folder of the part, as the organisers named them


_PARTS = (
    _Part("train", "ISIC2018_Task3_Training"),
    _Part("validation", "ISIC2018_Task3_Validation"),
    _Part("test", "ISIC2018_Task3_Test"),
)
MASKS = ("HAM10000_segmentations_lesion_tschandl",)
_CODES = {DIAGNOSES[name].code: name for name in ISIC2018_CLASSES}
# The challenge spells out what HAM10000 abbreviates.
_METHODS = {
    "histopathology": "histo",
    "serial imaging showing no change": "follow_up",
    "single image expert consensus": "consensus",
    "confocal microscopy with consensus dermoscopy": "confocal",
}


def read(root: Path, problems: Problems) -> Draft:
    """Read the parts whose ground truth lies in ``root``; a part without labels is skipped with a warning.

    Raises
    ------
    DataError
        There is no ground truth at all, or one is not what the organisers published.
    """
    truths = {each: path for each in _PARTS if (path := _truth(root, each))}
    if not truths:
        raise DataError(f"{root} is not ISIC 2018 task 3: no ISIC2018_Task3_*_GroundTruth.csv is there")
    unlabelled = [each for each in _PARTS if each not in truths]
    problems.warn(
        "official parts without labels",
        [each.part for each in unlabelled],
        do="They are left out; fetch their ground truth to use them.",
    )
    rows = pd.concat([_rows(path, each.part, problems) for each, path in truths.items()], ignore_index=True)
    groupings = _groupings(root)
    problems.warn(
        "files of lesion groupings that are not there",
        ["ISIC2018_Task3_Training_LesionGroupings.csv"] if groupings.empty else [],
        do="Fetch it: without it a split cannot keep the images of one lesion together.",
    )
    rows = rows.merge(groupings, on="image_id", how="left").fillna("")
    found = find_images(root, problems, ids=ISIC_ID)
    skipped = {*(f"{each.stem}_Input" for each in unlabelled), *isic2018_task1.INPUTS}
    images = {name: path for name, path in found.images.items() if path.parent.name not in skipped}
    masks = find_masks(*(root / name for name in (*MASKS, *isic2018_task1.TRUTHS)))
    return Draft(rows, found._replace(images=images), ISIC2018_CLASSES, masks)


def has_truth(root: Path) -> bool:
    """Tell whether any part's ground truth is there."""
    return any(_truth(root, each) for each in _PARTS)


def _truth(root: Path, each: _Part) -> Path | None:
    """Find the labels beside the images, or in a folder of their own as in the official zip."""
    name = f"{each.stem}_GroundTruth"
    places = (root / f"{name}.csv", root / name / f"{name}.csv")
    return next((path for path in places if path.is_file()), None)


def _rows(path: Path, part: str, problems: Problems) -> pd.DataFrame:
    return read_one_hot(path, _CODES, problems)[["image_id", "diagnosis"]].assign(part=part)


def _groupings(root: Path) -> pd.DataFrame:
    """Read which images show one lesion, and how each diagnosis was made."""
    sheets = [read_sheet(path) for each in _PARTS for path in _grouping_files(root, each)]
    told = [sheet for sheet in sheets if {"image", "lesion_id"} <= set(sheet.columns)]
    if not told:
        return pd.DataFrame({"image_id": pd.Series(dtype=object)})
    names = {"image": "image_id", "diagnosis_confirm_type": "diagnosis_method"}
    rows = pd.concat(told, ignore_index=True).rename(columns=names).fillna("")
    if "diagnosis_method" in rows:
        methods = [_METHODS.get(text.casefold(), text) for text in rows["diagnosis_method"]]
        rows["diagnosis_method"] = methods
    kept = [name for name in ("image_id", "lesion_id", "diagnosis_method") if name in rows]
    return pd.DataFrame(rows[kept].drop_duplicates("image_id"))


def _grouping_files(root: Path, each: _Part) -> list[Path]:
    name = f"{each.stem}_LesionGroupings.csv"
    places = (root / name, root / f"{each.stem}_GroundTruth" / name)
    return [path for path in places if path.is_file()][:1]


RECORD = DataSet(
    title="ISIC 2018, task 3",
    read=read,
    recognise=has_truth,
    licence="CC BY-NC 4.0",
    citation="Codella et al. 2019, arXiv:1902.03368; Tschandl, Rosendahl & Kittler 2018, Sci. Data 5:180161",
    url="https://challenge.isic-archive.com/data/#2018",
    expected={"train": 10015, "validation": 193, "test": 1512},
)
