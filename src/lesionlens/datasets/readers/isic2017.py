"""ISIC 2017, part 3: melanoma, nevus and seborrheic keratosis, with official training, validation and test splits.

Lesion masks (part 1) and dermoscopic features (part 2) are read if their directories are there.
Codella et al. 2018, "Skin lesion analysis toward melanoma detection: a challenge at ISBI 2017".
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import read_table
from lesionlens.core.taxonomy import ISIC2017_CLASSES
from lesionlens.datasets.file_layout import ISIC_ID, ImageIndex, find_by_pattern, find_images, find_masks
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers.base import (
    DatasetReader,
    SplitFiles,
    empty_metadata,
    first_file,
    warn_missing_splits,
)
from lesionlens.datasets.validation import RawTable

_SPLITS = (
    SplitFiles("train", "ISIC-2017_Training"),
    SplitFiles("validation", "ISIC-2017_Validation"),
    SplitFiles("test", "ISIC-2017_Test_v2"),
)
_FEATURE_FILE = re.compile(r"(?P<id>ISIC_\d+)_features\.json", re.IGNORECASE)
_SUPERPIXEL_FILE = re.compile(r"(?P<id>ISIC_\d+)_superpixels\.png", re.IGNORECASE)


def read_isic2017(root: Path, issues: IssueCollector) -> RawTable:
    """Read the splits in ``root``; missing splits are a warning as long as one is there.

    Raises
    ------
    DataError
        No split is there, or a ground truth differs from the official file.
    """
    present = [files for files in _SPLITS if _ground_truth_path(root, files).is_file()]
    if not present:
        names = ", ".join(_ground_truth_path(root, files).name for files in _SPLITS)
        raise DataError(f"{root} is not ISIC 2017 part 3: none of {names} is there")
    warn_missing_splits(issues, [files.split for files in _SPLITS if files not in present])
    rows = pd.concat([_read_split(root, files, issues) for files in present], ignore_index=True)
    images = find_images(root, id_pattern=ISIC_ID)
    masks = find_masks(*(root / f"{files.name}_Part1_GroundTruth" for files in present))
    feature_dirs = [root / f"{files.name}_Part2_GroundTruth" for files in present]
    features = _pair_feature_files(images, feature_dirs, issues)
    rows["feature_mask_paths"] = [features.get(name, "") for name in rows["image_id"]]
    return RawTable(rows, _restrict_searched(images), ISIC2017_CLASSES, masks)


def detect_isic2017(root: Path) -> bool:
    """Return whether the ground truth of any split is there."""
    return any(_ground_truth_path(root, files).is_file() for files in _SPLITS)


def _ground_truth_path(root: Path, files: SplitFiles) -> Path:
    return root / f"{files.name}_Part3_GroundTruth.csv"


def _restrict_searched(image_index: ImageIndex) -> ImageIndex:
    """Limit the searched directories in messages to those that can contain images of this dataset."""
    official = tuple(folder for folder in image_index.searched if "ISIC-2017" in folder.name)
    return replace(image_index, searched=official or image_index.searched)


def _read_split(root: Path, files: SplitFiles, issues: IssueCollector) -> pd.DataFrame:
    path = _ground_truth_path(root, files)
    truth = read_table(path)
    if "image_id" not in truth:
        truth = truth.rename(columns={"image": "image_id"})
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
        hint="Download the official ground truth again.",
    )
    diagnosis = pd.Series("nevus", index=truth.index, dtype=object)
    diagnosis = diagnosis.mask(keratosis, "seborrheic_keratosis").mask(melanoma, "melanoma")
    rows = pd.DataFrame({"image_id": truth["image_id"], "diagnosis": diagnosis, "split": files.split})
    return rows.merge(_read_metadata(root, files), on="image_id", how="left").fillna("")


def _pair_feature_files(
    image_index: ImageIndex, folders: Sequence[Path], issues: IssueCollector
) -> dict[str, str]:
    """Return ``superpixels;flags`` for each image that has both files; the superpixels are next to the images."""
    flags = find_by_pattern(_FEATURE_FILE, *folders)
    superpixels = find_by_pattern(
        _SUPERPIXEL_FILE, *sorted({path.parent for path in image_index.images.values()})
    )
    unpaired = [name for name in flags if name in image_index.images and name not in superpixels]
    issues.add_warning(
        "features without superpixels",
        unpaired,
        hint="Unpack ID_superpixels.png next to the images to use them.",
    )
    return {name: f"{superpixels[name][0]};{flags[name][0]}" for name in flags if name in superpixels}


def _parse_flag(ground_truth: pd.DataFrame, column: str, path: Path, issues: IssueCollector) -> pd.Series:
    """Parse a column of 0.0 and 1.0 as Boolean values."""
    numbers = pd.to_numeric(ground_truth[column].astype(object), errors="coerce")
    invalid = ground_truth.loc[~numbers.isin([0, 1]), ["image_id", column]].itertuples(index=False)
    issues.add_error(
        "labels that are neither 0 nor 1",
        [f"{path.name}: {name} {column}={cell!r}" for name, cell in invalid],
        hint="Download the official ground truth again.",
    )
    return numbers == 1


def _read_metadata(root: Path, files: SplitFiles) -> pd.DataFrame:
    """Read age and sex from the file next to the image directory, or inside it as in the official archive."""
    name = f"{files.name}_Data_metadata.csv"
    path = first_file(root / name, root / f"{files.name}_Data" / name)
    metadata = empty_metadata() if path is None else read_table(path)
    if "image_id" not in metadata:
        return empty_metadata()
    metadata = metadata.rename(columns={"age_approximate": "age"})
    columns = [column for column in ("image_id", "age", "sex") if column in metadata]
    return metadata[columns].drop_duplicates("image_id")


ISIC2017_READER = DatasetReader(
    title="ISIC 2017, part 3",
    read=read_isic2017,
    detect=detect_isic2017,
    license="CC-0",
    citation="Codella et al. 2018, Skin lesion analysis toward melanoma detection, arXiv:1710.05006",
    url="https://challenge.isic-archive.com/data/#2017",
    expected={"train": 2000, "validation": 150, "test": 600},
)
