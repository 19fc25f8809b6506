"""ISIC 2019: eight classes from HAM10000, BCN20000 and MSK; the test part holds a ninth, none of the others.

Tschandl et al. 2018; Codella et al. 2017; Combalia et al. 2019, "BCN20000", arXiv:1908.02288.
"""

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import read_table
from lesionlens.core.taxonomy import DIAGNOSES, ISIC2019_CLASSES
from lesionlens.datasets.file_layout import find_images
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers.base import DatasetReader
from lesionlens.datasets.readers.isic2018 import read_one_hot
from lesionlens.datasets.validation import RawTable


class _SplitFiles(NamedTuple):
    split: str
    prefix: str  # of every file and folder of the part, as the organisers named them


_SPLITS = (_SplitFiles("train", "ISIC_2019_Training"), _SplitFiles("test", "ISIC_2019_Test"))
UNK = "none_of_the_others"
# Here AK excludes Bowen's disease, which AKIEC of 2018 includes.
_CODES = {
    "AK" if name == "actinic_keratosis" else DIAGNOSES[name].code: name for name in (*ISIC2019_CLASSES, UNK)
}
_IMAGE_ID = re.compile(r"ISIC_\d+(_downsampled)?")  # large ones of MSK came reduced
_COLUMN_NAMES = {"image": "image_id", "age_approx": "age", "anatom_site_general": "site"}
_METADATA_COLUMNS = ("image_id", "lesion_id", "age", "sex", "site")


def read_isic2019(root: Path, issues: IssueCollector) -> RawTable:
    """Read training, and test where its labels are there; images of test that do not count are left out.

    The ninth class is one of the table's where an image shows it.

    Raises
    ------
    DataError
        There is no ground truth at all, or one is not what the organisers published.
    """
    truths = {each: path for each in _SPLITS if (path := _find_csv(root, each, "GroundTruth"))}
    if not truths:
        raise DataError(f"{root} is not ISIC 2019: no ISIC_2019_*_GroundTruth.csv is there")
    unlabelled = [each for each in _SPLITS if each not in truths]
    issues.add_warning(
        "official parts without labels",
        [each.split for each in unlabelled],
        hint="They are left out; fetch their ground truth to use them.",
    )
    rows = pd.concat(
        [_read_split(path, each.split, issues) for each, path in truths.items()], ignore_index=True
    )
    unscored = set(rows["image_id"][rows.pop("weight") == 0])
    issues.exclude(
        "test images that the challenge does not score", sorted(unscored), reason="score_weight is 0"
    )
    rows = rows[~rows["image_id"].isin(unscored)].merge(
        _read_metadata(root, issues), on="image_id", how="left"
    )
    found = find_images(root, issues, id_pattern=_IMAGE_ID)
    skipped = {f"{each.prefix}_Input" for each in unlabelled}
    images = {
        name: path
        for name, path in found.images.items()
        if path.parent.name not in skipped and name not in unscored
    }
    ninth = (UNK,) if (rows["diagnosis"] == UNK).any() else ()
    return RawTable(rows.fillna(""), found._replace(images=images), (*ISIC2019_CLASSES, *ninth), {})


def detect_isic2019(root: Path) -> bool:
    """Tell whether any part's ground truth is there."""
    return any(_find_csv(root, each, "GroundTruth") for each in _SPLITS)


def _find_csv(root: Path, files: _SplitFiles, kind: str) -> Path | None:
    """Find a table in ``root``, or among the images as some copies have it."""
    name = f"{files.prefix}_{kind}.csv"
    places = (root / name, root / f"{files.prefix}_Input" / name)
    return next((path for path in places if path.is_file()), None)


def _read_split(path: Path, split: str, issues: IssueCollector) -> pd.DataFrame:
    truth = read_one_hot(path, _CODES, issues)
    told = truth["score_weight"] if "score_weight" in truth else pd.Series("1", index=truth.index)
    weight = pd.to_numeric(told, errors="coerce")
    return truth[["image_id", "diagnosis"]].assign(split=split, weight=weight)


def _read_metadata(root: Path, issues: IssueCollector) -> pd.DataFrame:
    paths = {each: _find_csv(root, each, "Metadata") for each in _SPLITS}
    issues.add_warning(
        "files of metadata that are not there",
        [f"{_SPLITS[0].prefix}_Metadata.csv"] if paths[_SPLITS[0]] is None else [],
        hint="Fetch it: without it a split cannot keep the images of one lesion together.",
    )
    sheets = [read_table(path).rename(columns=_COLUMN_NAMES) for path in paths.values() if path]
    told = [
        sheet[[name for name in _METADATA_COLUMNS if name in sheet]]
        for sheet in sheets
        if "image_id" in sheet
    ]
    if not told:
        return pd.DataFrame({"image_id": pd.Series(dtype=object)})
    return pd.concat(told, ignore_index=True).drop_duplicates("image_id")


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
