"""ISIC 2017, part 3: melanoma, nevus, seborrheic keratosis; official training, validation and test parts.

Lesion masks (part 1) and dermoscopic features (part 2) are read where their folders lie beside.
Codella et al. 2018, "Skin lesion analysis toward melanoma detection: a challenge at ISBI 2017".
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import read_table
from lesionlens.core.taxonomy import ISIC2017_CLASSES
from lesionlens.datasets.file_layout import ISIC_ID, ImageIndex, find_by_pattern, find_images, find_masks
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers.base import DatasetReader
from lesionlens.datasets.validation import RawTable


class _SplitFiles(NamedTuple):
    split: str
    prefix: str  # of every file and folder of the part, as the organisers named them


_SPLITS = (
    _SplitFiles("train", "ISIC-2017_Training"),
    _SplitFiles("validation", "ISIC-2017_Validation"),
    _SplitFiles("test", "ISIC-2017_Test_v2"),
)
_FEATURE_FILE = re.compile(r"(?P<id>ISIC_\d+)_features\.json", re.IGNORECASE)
_SUPERPIXEL_FILE = re.compile(r"(?P<id>ISIC_\d+)_superpixels\.png", re.IGNORECASE)


def read_isic2017(root: Path, issues: IssueCollector) -> RawTable:
    """Read the parts that lie in ``root``; a missing part is a warning as long as there is another.

    Raises
    ------
    DataError
        There is no part at all, or a ground truth is not what the organisers published.
    """
    present = [each for each in _SPLITS if _ground_truth_path(root, each).is_file()]
    if not present:
        wanted = ", ".join(_ground_truth_path(root, each).name for each in _SPLITS)
        raise DataError(f"{root} is not ISIC 2017 part 3: none of {wanted} is there")
    missing = [each.split for each in _SPLITS if each not in present]
    issues.add_warning(
        "official parts that are not there", missing, hint="Fetch them to train and compare as others do."
    )
    rows = pd.concat([_read_split(root, each, issues) for each in present], ignore_index=True)
    found = find_images(root, issues, id_pattern=ISIC_ID)
    masks = find_masks(*(root / f"{each.prefix}_Part1_GroundTruth" for each in present))
    features = _pair_feature_files(
        found, [root / f"{each.prefix}_Part2_GroundTruth" for each in present], issues
    )
    rows["feature_mask_paths"] = [features.get(name, "") for name in rows["image_id"]]
    return RawTable(rows, _restrict_searched(found), ISIC2017_CLASSES, masks)


def detect_isic2017(root: Path) -> bool:
    """Tell whether any part's ground truth is there."""
    return any(_ground_truth_path(root, each).is_file() for each in _SPLITS)


def _ground_truth_path(root: Path, files: _SplitFiles) -> Path:
    return root / f"{files.prefix}_Part3_GroundTruth.csv"


def _restrict_searched(image_index: ImageIndex) -> ImageIndex:
    """Name in messages only the folders that can hold images of this data set."""
    named = tuple(folder for folder in image_index.searched if "ISIC-2017" in folder.name)
    return ImageIndex(image_index.images, named or image_index.searched)


def _read_split(root: Path, files: _SplitFiles, issues: IssueCollector) -> pd.DataFrame:
    path = _ground_truth_path(root, files)
    truth = read_table(path)
    if not {"image_id", "melanoma", "seborrheic_keratosis"} <= set(truth.columns):
        raise DataError(
            f"{path} has the columns {list(truth.columns)}; expected image_id, melanoma, seborrheic_keratosis"
        )
    melanoma, keratosis = (
        _parse_flag(truth, name, path, issues) for name in ("melanoma", "seborrheic_keratosis")
    )
    issues.add_error(
        "images marked both melanoma and seborrheic keratosis",
        truth["image_id"][melanoma & keratosis],
        hint="Fetch the official ground truth again.",
    )
    diagnosis = pd.Series("nevus", index=truth.index, dtype=object)
    diagnosis = diagnosis.mask(keratosis, "seborrheic_keratosis").mask(melanoma, "melanoma")
    rows = pd.DataFrame({"image_id": truth["image_id"], "diagnosis": diagnosis, "split": files.split})
    return rows.merge(_read_metadata(root, files), on="image_id", how="left").fillna("")


def _pair_feature_files(
    image_index: ImageIndex, folders: Sequence[Path], issues: IssueCollector
) -> dict[str, str]:
    """Name superpixels, which lie beside the images, and their flags for each image that has both."""
    flags = find_by_pattern(_FEATURE_FILE, *folders)
    superpixels = find_by_pattern(
        _SUPERPIXEL_FILE, *sorted({path.parent for path in image_index.images.values()})
    )
    lone = [name for name in flags if name in image_index.images and name not in superpixels]
    issues.add_warning(
        "features without superpixels", lone, hint="Unpack ID_superpixels.png beside the images to use them."
    )
    return {name: f"{superpixels[name][0]};{flags[name][0]}" for name in flags if name in superpixels}


def _parse_flag(ground_truth: pd.DataFrame, column: str, path: Path, issues: IssueCollector) -> pd.Series:
    """Read 0.0 or 1.0 as a truth value."""
    numbers = pd.to_numeric(ground_truth[column].astype(object), errors="coerce")
    wrong = ~numbers.isin([0, 1])
    cases = [f"{path.name}: {name} {column}={cell!r}" for name, cell in
             ground_truth.loc[wrong, ["image_id", column]].itertuples(index=False)]  # fmt: skip
    issues.add_error("labels that are neither 0 nor 1", cases, hint="Fetch the official ground truth again.")
    return numbers == 1


def _read_metadata(root: Path, files: _SplitFiles) -> pd.DataFrame:
    """Read age and sex from beside the folder of images, or from inside it as in the official zip."""
    name = f"{files.prefix}_Data_metadata.csv"
    for path in (root / name, root / f"{files.prefix}_Data" / name):
        if path.is_file():
            sheet = read_table(path).rename(columns={"age_approximate": "age"})
            kept = [column for column in ("image_id", "age", "sex") if column in sheet]
            return (
                sheet[kept].drop_duplicates("image_id")
                if "image_id" in kept
                else pd.DataFrame(columns=["image_id"])
            )
    return pd.DataFrame({"image_id": pd.Series(dtype=object)})


ISIC2017_READER = DatasetReader(
    title="ISIC 2017, part 3",
    read=read_isic2017,
    detect=detect_isic2017,
    license="CC-0",
    citation="Codella et al. 2018, Skin lesion analysis toward melanoma detection, arXiv:1710.05006",
    url="https://challenge.isic-archive.com/data/#2017",
    expected={"train": 2000, "validation": 150, "test": 600},
)
