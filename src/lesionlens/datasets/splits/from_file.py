"""Splits from a CSV file."""

from pathlib import Path

import numpy as np
import pandas as pd

from lesionlens.core.errors import DataError, shorten
from lesionlens.core.missing import is_missing
from lesionlens.core.tabular import read_table
from lesionlens.datasets.image_ids import match_image_ids
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.near_misses import describe_near_miss
from lesionlens.datasets.split_names import SplitNames, assign_splits, use_split_column
from lesionlens.datasets.splits.base import (
    CheckpointSplit,
    DatasetSplits,
    ValidationSpec,
    add_validation_split,
)
from lesionlens.datasets.splits.strategies import unused_official_caveats
from lesionlens.datasets.table import LesionTable
from lesionlens.datasets.table_columns import IMAGE_NAME_COLUMNS


def splits_from_csv(
    table: LesionTable, file: Path, names: SplitNames, *, checkpoint_split: CheckpointSplit = "validation"
) -> DatasetSplits:
    """Read a CSV file ``image_id,split``.

    Parameters
    ----------
    table
        Table to split.
    file
        The CSV file. Images are named as in the table, or with an image extension or directories.
    names
        Names of the splits in the file.
    checkpoint_split
        Split that selects the checkpoint.

    Raises
    ------
    DataError
        The file is missing or has other columns, a required split is not in it, a name means none of them, an image is
        in two splits, or an image of the table is in none.
    """
    rows = _read_split_csv(file)
    matched = match_image_ids(rows["image_id"].tolist(), table.frame["image_id"])
    known = rows.assign(image_id=matched)[np.array(matched, dtype=object) != ""].drop_duplicates()
    _check_rows(known, table, rows, file)
    name_by_id = known.set_index("image_id")["split"]
    cells = name_by_id.loc[table.frame["image_id"]].tolist()
    split_names = np.array(assign_splits(cells, names, str(file)), dtype=object)
    _check_required(set(split_names), cells, file, names, checkpoint_split)
    missing = matched.count("")
    caveats = [f"not in the table: {pluralize(missing, 'image')} of {file.name}"] if missing else []
    caveats += unused_official_caveats(table, split_names)
    spec = ValidationSpec(0.0, 0, checkpoint_split)
    return add_validation_split(table, split_names, _describe(file, cells, names), spec, caveats=caveats)


def _read_split_csv(file: Path) -> pd.DataFrame:
    """Return the columns ``image_id`` and ``split``; the latter may also be named ``part``."""
    try:
        rows = use_split_column(read_table(file, normalize_columns=True))
    except DataError as error:
        raise DataError(f"cannot read the split: {error}") from error
    image = next((name for name in IMAGE_NAME_COLUMNS if name in rows), "")
    if not image or "split" not in rows:
        raise DataError(f"the split {file} has columns {list(rows.columns)}; required: image_id, split")
    return rows[[image, "split"]].rename(columns={image: "image_id"})


def _check_rows(known: pd.DataFrame, table: LesionTable, rows: pd.DataFrame, file: Path) -> None:
    """Raise an error unless every image of the table has one split."""
    if repeated := sorted(set(known["image_id"][known["image_id"].duplicated()])):
        raise DataError(
            f"the split {file} names two splits for {pluralize(len(repeated), 'image')}, for example "
            f"{repeated[0]}; an image belongs to one"
        )
    if unnamed := [image for image, name in known.itertuples(index=False) if is_missing(name)]:
        raise DataError(
            f"the split {file} names no split for {pluralize(len(unnamed), 'image')}, for example "
            f"{', '.join(unnamed[:5])}; write train, validation or test"
        )
    listed = set(known["image_id"])
    if unassigned := [image for image in table.frame["image_id"] if image not in listed]:
        verb = "image has" if len(unassigned) == 1 else "images have"
        near_miss = describe_near_miss(rows["image_id"], map(Path, unassigned)).strip()
        raise DataError(
            f"{len(unassigned):,} {verb} no split in {file}, for example {', '.join(unassigned[:5])} (the file names "
            f"images such as {shorten(rows['image_id'].iloc[0])}); add them, or remove them from the table"
            f"{near_miss and f'. {near_miss}'}"
        )


def _check_required(
    splits: set[str], cells: list[str], file: Path, names: SplitNames, checkpoint_split: CheckpointSplit
) -> None:
    if checkpoint_split not in splits:
        is_validation = checkpoint_split == "validation"
        purpose = "validate on" if is_validation else "test and select checkpoints on"
        raise DataError(
            f"the split {file} has no split {names.validation if is_validation else names.test!r} to {purpose}; it has "
            f"{', '.join(sorted(set(cells)))}. Set its name with data.{'val' if is_validation else 'test'}_split_name"
        )


def _describe(file: Path, cells: list[str], names: SplitNames) -> str:
    by_split: dict[str, list[str]] = {}
    for name in dict.fromkeys(cells):
        by_split.setdefault(names.split_of(name), []).append(name)
    uses = (("validation", "validation"), ("test", "testing"), ("train", "training"))
    return f"{file.name}: " + ", ".join(
        f"{' and '.join(map(repr, sorted(by_split[split])))} for {use}"
        for split, use in uses
        if split in by_split
    )
