"""What is known of a data set beside its files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from lesionlens.core.tabular import read_table
from lesionlens.datasets.file_layout import find_masks
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.validation import RawTable


@dataclass(frozen=True)
class DatasetReader:
    """A reader with the licence and citation of what it reads.

    Attributes
    ----------
    title
        The name that people use.
    read
        Folder (or file) to raw table; raises DataError where the layout is not there at all.
    detect
        Whether a folder looks like this data set.
    license, citation, url
        As the publishers ask for them.
    expected
        Images in each official part of the complete data set; ``""`` where there are no parts.
    """

    title: str
    read: Callable[[Path, IssueCollector], RawTable]
    detect: Callable[[Path], bool]
    license: str
    citation: str
    url: str
    expected: Mapping[str, int] = field(default_factory=dict)


SYNTHETIC_SOURCE = "synthetic"
SYNTHETIC_METADATA_FILE = "synthesis.json"


def add_synthetic_ground_truth(raw_table: RawTable, root: Path) -> RawTable:
    """Mark every row as synthetic, and add the truth that the layout has no place for; others stay as they are."""
    if not (root / SYNTHETIC_METADATA_FILE).is_file():
        return raw_table
    rows = (
        raw_table.rows.merge(_read_skin_tones(root), on="image_id", how="left")
        .fillna("")
        .assign(source=SYNTHETIC_SOURCE)
    )
    structures = find_masks(root / "structures")
    told = rows.get("feature_mask_paths", pd.Series("", index=rows.index))
    painted = rows["image_id"].map(lambda name: str(structures.get(name, "")))
    rows["feature_mask_paths"] = told.where(told != "", painted)
    return replace(raw_table, rows=rows, mask_paths={**find_masks(root / "masks"), **raw_table.mask_paths})


def _read_skin_tones(root: Path) -> pd.DataFrame:
    path = root / "artifacts.csv"
    sheet = read_table(path) if path.is_file() else pd.DataFrame()
    if not {"image_id", "skin_tone"} <= set(sheet.columns):
        return pd.DataFrame({"image_id": pd.Series(dtype=object)})
    return sheet[["image_id", "skin_tone"]].drop_duplicates("image_id")
