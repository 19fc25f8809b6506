"""Description of a dataset reader, the official splits, and the ground truth of synthetic datasets."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionlens.core.tabular import read_table
from lesionlens.datasets.file_layout import find_masks
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.validation import RawTable


@dataclass(frozen=True)
class DatasetReader:
    """Reader of a dataset, with the license and citation of the data.

    Attributes
    ----------
    title
        Usual name of the dataset.
    read
        Function from a directory (or file) to a raw table; raises ``DataError`` if the layout is not there at all.
    detect
        Function that returns whether a path looks like this dataset.
    license, citation, url
        License, citation and home page, as requested by the publishers.
    expected
        Number of images in each official split of the complete dataset; the key is ``""`` for a dataset without
        splits.
    """

    title: str
    read: Callable[[Path, IssueCollector], RawTable]
    detect: Callable[[Path], bool]
    license: str
    citation: str
    url: str
    expected: Mapping[str, int] = field(default_factory=dict)


class SplitFiles(NamedTuple):
    """Official split, and the part of its file and directory names that distinguishes it from the others."""

    split: str
    name: str


def first_file(*candidates: Path) -> Path | None:
    """Return the first file that exists."""
    return next((path for path in candidates if path.is_file()), None)


def empty_metadata() -> pd.DataFrame:
    """Return a table without rows that can be merged by ``image_id``."""
    return pd.DataFrame({"image_id": pd.Series(dtype=object)})


def warn_missing_splits(issues: IssueCollector, missing: Iterable[str]) -> None:
    """Add a warning about official splits whose files are missing."""
    issues.add_warning(
        "missing official splits", missing, hint="Download them to train and compare on the official splits."
    )


def warn_unlabeled_splits(issues: IssueCollector, unlabeled: Iterable[str]) -> None:
    """Add a warning about official splits whose ground truth is missing."""
    issues.add_warning(
        "official splits without labels",
        unlabeled,
        hint="They are excluded; download their ground truth to use them.",
    )


SYNTHETIC_SOURCE = "synthetic"
SYNTHETIC_METADATA_FILE = "synthesis.json"


def add_synthetic_ground_truth(raw_table: RawTable, root: Path) -> RawTable:
    """Add skin tones, structure masks and lesion masks to the rows of a synthetic dataset, and mark its source.

    The table of any other dataset is returned unchanged.
    """
    if not (root / SYNTHETIC_METADATA_FILE).is_file():
        return raw_table
    rows = (
        raw_table.rows.merge(_read_skin_tones(root), on="image_id", how="left")
        .fillna("")
        .assign(source=SYNTHETIC_SOURCE)
    )
    structures = find_masks(root / "structures")
    official = rows.get("feature_mask_paths", pd.Series("", index=rows.index))
    synthetic = rows["image_id"].map(lambda name: str(structures.get(name, "")))
    rows["feature_mask_paths"] = official.where(official != "", synthetic)
    return replace(raw_table, rows=rows, mask_paths={**find_masks(root / "masks"), **raw_table.mask_paths})


def _read_skin_tones(root: Path) -> pd.DataFrame:
    path = root / "artifacts.csv"
    table = read_table(path) if path.is_file() else pd.DataFrame()
    if not {"image_id", "skin_tone"} <= set(table.columns):
        return empty_metadata()
    return table[["image_id", "skin_tone"]].drop_duplicates("image_id")
