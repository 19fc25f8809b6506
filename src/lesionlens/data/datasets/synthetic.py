"""What any layout tells more of where its images were painted by a program: that they were, and the truth.

A set says so by ``synthesis.json`` in its folder. Then lesion masks are also found in ``masks/``, structures in
``structures/``, skin tones in ``artefacts.csv``, wherever the layout itself has no place for them.
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from lesionlens.data.assemble import RawTable
from lesionlens.data.layout import find_masks
from lesionlens.data.sheet import read_table

SYNTHETIC_SOURCE = "synthetic"
SYNTHETIC_METADATA_FILE = "synthesis.json"


def add_synthetic_ground_truth(raw_table: RawTable, root: Path) -> RawTable:
    """Mark every row as synthetic, and add the truth that the layout has no place for; others stay as they are."""
    if not (root / SYNTHETIC_METADATA_FILE).is_file():
        return raw_table
    rows = raw_table.rows.merge(_read_skin_tones(root), on="image_id", how="left").fillna("").assign(source=SYNTHETIC_SOURCE)
    structures = find_masks(root / "structures")
    told = rows.get("feature_mask_paths", pd.Series("", index=rows.index))
    painted = rows["image_id"].map(lambda name: str(structures.get(name, "")))
    rows["feature_mask_paths"] = told.where(told != "", painted)
    return replace(raw_table, rows=rows, mask_paths={**find_masks(root / "masks"), **raw_table.mask_paths})


def _read_skin_tones(root: Path) -> pd.DataFrame:
    path = root / "artefacts.csv"
    sheet = read_table(path) if path.is_file() else pd.DataFrame()
    if not {"image_id", "skin_tone"} <= set(sheet.columns):
        return pd.DataFrame({"image_id": pd.Series(dtype=object)})
    return sheet[["image_id", "skin_tone"]].drop_duplicates("image_id")
