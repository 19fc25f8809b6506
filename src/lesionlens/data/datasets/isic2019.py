"""ISIC 2019: eight classes from HAM10000, BCN20000 and MSK; the test part holds a ninth, none of the others.

Tschandl et al. 2018; Codella et al. 2017; Combalia et al. 2019, "BCN20000", arXiv:1908.02288.
"""

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionlens.data.assemble import Draft
from lesionlens.data.datasets.one_hot import read_one_hot
from lesionlens.data.datasets.record import DataSet
from lesionlens.data.layout import find_images
from lesionlens.data.problems import Problems
from lesionlens.data.sheet import read_sheet
from lesionlens.data.taxonomy import DIAGNOSES, ISIC2019_CLASSES
from lesionlens.errors import DataError


class _Part(NamedTuple):
    part: str
    stem: str  # of every file and folder of the part, as the organisers named them


_PARTS = (_Part("train", "ISIC_2019_Training"), _Part("test", "ISIC_2019_Test"))
NONE_OF_THEM = "none_of_the_others"
# Here AK excludes Bowen's disease, which AKIEC of 2018 includes.
_CODES = {
    "AK" if name == "actinic_keratosis" else DIAGNOSES[name].code: name
    for name in (*ISIC2019_CLASSES, NONE_OF_THEM)
}
_ID = re.compile(r"ISIC_\d+(_downsampled)?")  # large ones of MSK came reduced
_NAMES = {"image": "image_id", "age_approx": "age", "anatom_site_general": "site"}
_KEPT = ("image_id", "lesion_id", "age", "sex", "site")


def read(root: Path, problems: Problems) -> Draft:
    """Read training, and test where its labels are there; images of test that do not count are left out.

    The ninth class is one of the table's where an image shows it.

    Raises
    ------
    DataError
        There is no ground truth at all, or one is not what the organisers published.
    """
    truths = {each: path for each in _PARTS if (path := _file(root, each, "GroundTruth"))}
    if not truths:
        raise DataError(f"{root} is not ISIC 2019: no ISIC_2019_*_GroundTruth.csv is there")
    unlabelled = [each for each in _PARTS if each not in truths]
    problems.warn(
        "official parts without labels",
        [each.part for each in unlabelled],
        do="They are left out; fetch their ground truth to use them.",
    )
    rows = pd.concat([_rows(path, each.part, problems) for each, path in truths.items()], ignore_index=True)
    unscored = set(rows["image_id"][rows.pop("weight") == 0])
    problems.leave_out(
        "test images that the challenge does not score", sorted(unscored), reason="score_weight is 0"
    )
    rows = rows[~rows["image_id"].isin(unscored)].merge(_metadata(root, problems), on="image_id", how="left")
    found = find_images(root, problems, ids=_ID)
    skipped = {f"{each.stem}_Input" for each in unlabelled}
    images = {
        name: path
        for name, path in found.images.items()
        if path.parent.name not in skipped and name not in unscored
    }
    ninth = (NONE_OF_THEM,) if (rows["diagnosis"] == NONE_OF_THEM).any() else ()
    return Draft(rows.fillna(""), found._replace(images=images), (*ISIC2019_CLASSES, *ninth), {})


def recognise(root: Path) -> bool:
    """Tell whether any part's ground truth is there."""
    return any(_file(root, each, "GroundTruth") for each in _PARTS)


def _file(root: Path, each: _Part, what: str) -> Path | None:
    """Find a table in ``root``, or among the images as some copies have it."""
    name = f"{each.stem}_{what}.csv"
    places = (root / name, root / f"{each.stem}_Input" / name)
    return next((path for path in places if path.is_file()), None)


def _rows(path: Path, part: str, problems: Problems) -> pd.DataFrame:
    truth = read_one_hot(path, _CODES, problems)
    told = truth["score_weight"] if "score_weight" in truth else pd.Series("1", index=truth.index)
    weight = pd.to_numeric(told, errors="coerce")
    return truth[["image_id", "diagnosis"]].assign(part=part, weight=weight)


def _metadata(root: Path, problems: Problems) -> pd.DataFrame:
    paths = {each: _file(root, each, "Metadata") for each in _PARTS}
    problems.warn(
        "files of metadata that are not there",
        [f"{_PARTS[0].stem}_Metadata.csv"] if paths[_PARTS[0]] is None else [],
        do="Fetch it: without it a split cannot keep the images of one lesion together.",
    )
    sheets = [read_sheet(path).rename(columns=_NAMES) for path in paths.values() if path]
    told = [sheet[[name for name in _KEPT if name in sheet]] for sheet in sheets if "image_id" in sheet]
    if not told:
        return pd.DataFrame({"image_id": pd.Series(dtype=object)})
    return pd.concat(told, ignore_index=True).drop_duplicates("image_id")


RECORD = DataSet(
    title="ISIC 2019",
    read=read,
    recognise=recognise,
    licence="CC BY-NC 4.0",
    citation="Tschandl et al. 2018, Sci. Data 5:180161; Codella et al. 2017, arXiv:1710.05006; "
    "Combalia et al. 2019, arXiv:1908.02288",
    url="https://challenge.isic-archive.com/data/#2019",
    expected={"train": 25331},
)
