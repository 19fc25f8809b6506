"""ISIC 2017, part 3: melanoma, nevus, seborrheic keratosis; official training, validation and test parts.

Lesion masks (part 1) and dermoscopic features (part 2) are read where their folders lie beside.
Codella et al. 2018, "Skin lesion analysis toward melanoma detection: a challenge at ISBI 2017".
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionlens.data.assemble import Draft
from lesionlens.data.datasets.record import DataSet
from lesionlens.data.layout import ISIC_ID, Found, find_images, find_masks, find_parts
from lesionlens.data.problems import Problems
from lesionlens.data.sheet import read_sheet
from lesionlens.data.taxonomy import ISIC2017_CLASSES
from lesionlens.errors import DataError


class _Part(NamedTuple):
    part: str
    stem: str  # of every file and folder of the part, as the organisers named them


_PARTS = (
    _Part("train", "ISIC-2017_Training"),
    _Part("validation", "ISIC-2017_Validation"),
    _Part("test", "ISIC-2017_Test_v2"),
)
_FEATURES = re.compile(r"(?P<id>ISIC_\d+)_features\.json", re.IGNORECASE)
_SUPERPIXELS = re.compile(r"(?P<id>ISIC_\d+)_superpixels\.png", re.IGNORECASE)


def read(root: Path, problems: Problems) -> Draft:
    """Read the parts that lie in ``root``; a missing part is a warning as long as there is another.

    Raises
    ------
    DataError
        There is no part at all, or a ground truth is not what the organisers published.
    """
    present = [each for each in _PARTS if _truth(root, each).is_file()]
    if not present:
        wanted = ", ".join(_truth(root, each).name for each in _PARTS)
        raise DataError(f"{root} is not ISIC 2017 part 3: none of {wanted} is there")
    missing = [each.part for each in _PARTS if each not in present]
    problems.warn(
        "official parts that are not there", missing, do="Fetch them to train and compare as others do."
    )
    rows = pd.concat([_rows(root, each, problems) for each in present], ignore_index=True)
    found = find_images(root, problems, ids=ISIC_ID)
    masks = find_masks(*(root / f"{each.stem}_Part1_GroundTruth" for each in present))
    features = _features(found, [root / f"{each.stem}_Part2_GroundTruth" for each in present], problems)
    rows["feature_mask_paths"] = [features.get(name, "") for name in rows["image_id"]]
    return Draft(rows, _in_parts(found), ISIC2017_CLASSES, masks)


def recognise(root: Path) -> bool:
    """Tell whether any part's ground truth is there."""
    return any(_truth(root, each).is_file() for each in _PARTS)


def _truth(root: Path, each: _Part) -> Path:
    return root / f"{each.stem}_Part3_GroundTruth.csv"


def _in_parts(found: Found) -> Found:
    """Name in messages only the folders that can hold images of this data set."""
    named = tuple(folder for folder in found.looked if "ISIC-2017" in folder.name)
    return Found(found.images, named or found.looked)


def _rows(root: Path, each: _Part, problems: Problems) -> pd.DataFrame:
    path = _truth(root, each)
    truth = read_sheet(path)
    if not {"image_id", "melanoma", "seborrheic_keratosis"} <= set(truth.columns):
        raise DataError(
            f"{path} has the columns {list(truth.columns)}; expected image_id, melanoma, seborrheic_keratosis"
        )
    melanoma, keratosis = (
        _flag(truth, name, path, problems) for name in ("melanoma", "seborrheic_keratosis")
    )
    problems.error(
        "images marked both melanoma and seborrheic keratosis",
        truth["image_id"][melanoma & keratosis],
        do="Fetch the official ground truth again.",
    )
    diagnosis = pd.Series("nevus", index=truth.index, dtype=object)
    diagnosis = diagnosis.mask(keratosis, "seborrheic_keratosis").mask(melanoma, "melanoma")
    rows = pd.DataFrame({"image_id": truth["image_id"], "diagnosis": diagnosis, "part": each.part})
    return rows.merge(_metadata(root, each), on="image_id", how="left").fillna("")


def _features(found: Found, folders: Sequence[Path], problems: Problems) -> dict[str, str]:
    """Name superpixels, which lie beside the images, and their flags for each image that has both."""
    flags = find_parts(_FEATURES, *folders)
    superpixels = find_parts(_SUPERPIXELS, *sorted({path.parent for path in found.images.values()}))
    lone = [name for name in flags if name in found.images and name not in superpixels]
    problems.warn(
        "features without superpixels", lone, do="Unpack ID_superpixels.png beside the images to use them."
    )
    return {name: f"{superpixels[name][0]};{flags[name][0]}" for name in flags if name in superpixels}


def _flag(truth: pd.DataFrame, column: str, path: Path, problems: Problems) -> pd.Series:
    """Read 0.0 or 1.0 as a truth value."""
    numbers = pd.to_numeric(truth[column].astype(object), errors="coerce")
    wrong = ~numbers.isin([0, 1])
    cases = [f"{path.name}: {name} {column}={cell!r}" for name, cell in
             truth.loc[wrong, ["image_id", column]].itertuples(index=False)]  # fmt: skip
    problems.error("labels that are neither 0 nor 1", cases, do="Fetch the official ground truth again.")
    return numbers == 1


def _metadata(root: Path, each: _Part) -> pd.DataFrame:
    """Read age and sex from beside the folder of images, or from inside it as in the official zip."""
    name = f"{each.stem}_Data_metadata.csv"
    for path in (root / name, root / f"{each.stem}_Data" / name):
        if path.is_file():
            sheet = read_sheet(path).rename(columns={"age_approximate": "age"})
            kept = [column for column in ("image_id", "age", "sex") if column in sheet]
            return (
                sheet[kept].drop_duplicates("image_id")
                if "image_id" in kept
                else pd.DataFrame(columns=["image_id"])
            )
    return pd.DataFrame({"image_id": pd.Series(dtype=object)})


RECORD = DataSet(
    title="ISIC 2017, part 3",
    read=read,
    recognise=recognise,
    licence="CC-0",
    citation="Codella et al. 2018, Skin lesion analysis toward melanoma detection, arXiv:1710.05006",
    url="https://challenge.isic-archive.com/data/#2017",
    expected={"train": 2000, "validation": 150, "test": 600},
)
