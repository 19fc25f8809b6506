"""ISIC 2019: eight classes from HAM10000, BCN20000 and MSK; the test split has a ninth, none of the others.

Tschandl et al. 2018; Codella et al. 2017; Combalia et al. 2019, "BCN20000", arXiv:1908.02288.
"""

import re
from pathlib import Path

import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import read_table
from lesionlens.core.taxonomy import DIAGNOSES, ISIC2019_CLASSES
from lesionlens.datasets.file_layout import find_images
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers.base import (
    DatasetReader,
    SplitFiles,
    empty_metadata,
    first_file,
    warn_unlabeled_splits,
)
from lesionlens.datasets.readers.isic2018 import read_one_hot
from lesionlens.datasets.validation import RawTable

_SPLITS = (SplitFiles("train", "ISIC_2019_Training"), SplitFiles("test", "ISIC_2019_Test"))
UNK = "none_of_the_others"
# AK excludes Bowen's disease, unlike AKIEC of 2018.
_CODES = {
    "AK" if name == "actinic_keratosis" else DIAGNOSES[name].code: name for name in (*ISIC2019_CLASSES, UNK)
}
_IMAGE_ID = re.compile(r"ISIC_\d+(_downsampled)?")  # large images of MSK are published downsampled
_COLUMN_NAMES = {"image": "image_id", "age_approx": "age", "anatom_site_general": "site"}
_METADATA_COLUMNS = ("image_id", "lesion_id", "age", "sex", "site")


def read_isic2019(root: Path, issues: IssueCollector) -> RawTable:
    """Read the splits whose ground truth is in ``root``; test images that the challenge does not score are excluded.

    The table has the ninth class only if it contains an image of that class.

    Raises
    ------
    DataError
        No ground truth is there, or one differs from the official file.
    """
    truths = {files: path for files in _SPLITS if (path := _find_csv(root, files, "GroundTruth"))}
    if not truths:
        raise DataError(f"{root} is not ISIC 2019: no ISIC_2019_*_GroundTruth.csv is there")
    unlabeled = [files for files in _SPLITS if files not in truths]
    warn_unlabeled_splits(issues, [files.split for files in unlabeled])
    rows = pd.concat(
        [_read_split(path, files.split, issues) for files, path in truths.items()], ignore_index=True
    )
    unscored = set(rows["image_id"][rows.pop("weight") == 0])
    issues.exclude(
        "test images that the challenge does not score", sorted(unscored), reason="score_weight is 0"
    )
    rows = rows[~rows["image_id"].isin(unscored)].merge(
        _read_metadata(root, issues), on="image_id", how="left"
    )
    index = find_images(root, id_pattern=_IMAGE_ID)
    skipped = {f"{files.name}_Input" for files in unlabeled}
    index = index.select(lambda name, path: path.parent.name not in skipped and name not in unscored)
    ninth = (UNK,) if (rows["diagnosis"] == UNK).any() else ()
    return RawTable(rows.fillna(""), index, (*ISIC2019_CLASSES, *ninth), {})


def detect_isic2019(root: Path) -> bool:
    """Return whether the ground truth of any split is there."""
    return any(_find_csv(root, files, "GroundTruth") for files in _SPLITS)


def _find_csv(root: Path, files: SplitFiles, kind: str) -> Path | None:
    """Return a CSV file in ``root``, or among the images as in some redistributions."""
    name = f"{files.name}_{kind}.csv"
    return first_file(root / name, root / f"{files.name}_Input" / name)


def _read_split(path: Path, split: str, issues: IssueCollector) -> pd.DataFrame:
    truth = read_one_hot(path, _CODES, issues)
    weight = truth["score_weight"] if "score_weight" in truth else pd.Series("1", index=truth.index)
    weight = pd.to_numeric(weight, errors="coerce")
    return truth[["image_id", "diagnosis"]].assign(split=split, weight=weight)


def _read_metadata(root: Path, issues: IssueCollector) -> pd.DataFrame:
    paths = {files: _find_csv(root, files, "Metadata") for files in _SPLITS}
    issues.add_warning(
        "missing metadata files",
        [f"{_SPLITS[0].name}_Metadata.csv"] if paths[_SPLITS[0]] is None else [],
        hint="Download the file: without it, splits cannot keep the images of one lesion together.",
    )
    tables = [read_table(path).rename(columns=_COLUMN_NAMES) for path in paths.values() if path]
    metadata = [
        table[[name for name in _METADATA_COLUMNS if name in table]]
        for table in tables
        if "image_id" in table
    ]
    if not metadata:
        return empty_metadata()
    return pd.concat(metadata, ignore_index=True).drop_duplicates("image_id")


ISIC2019_READER = DatasetReader(
    title="ISIC 2019",
    read=read_isic2019,
    detect=detect_isic2019,
    license="CC BY-NC 4.0",
    citation="Tschandl et al. 2018, Sci. Data 5:180161; Codella et al. 2017, arXiv:1710.05006; "
    "Combalia et al. 2019, arXiv:1908.02288",
    url="https://challenge.isic-archive.com/data/#2019",
    expected={"train": 25331},
)
