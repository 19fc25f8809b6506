"""Columns of images, labels, lesions and splits in files of predictions and labels, by their usual names."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lesionlens.core.errors import PredictionsError
from lesionlens.core.missing import is_missing
from lesionlens.core.tabular import CSVColumns, normalize_column_name
from lesionlens.core.taxonomy import canonical_or_raw
from lesionlens.core.types import StrArray
from lesionlens.datasets.table_columns import COLUMN_NAMES

LABEL_COLUMNS, LESION_COLUMNS = COLUMN_NAMES["diagnosis"], COLUMN_NAMES["lesion_id"]
_SPLIT_COLUMNS = ("split", "part")


def has_column(columns: CSVColumns, names: Sequence[str]) -> bool:
    """Return whether a file has a column of one of these names, in any case, with blanks or hyphens."""
    return bool(_present(columns, names))


def metadata_cells(columns: CSVColumns, names: Sequence[str], path: Path) -> list[str]:
    """Return the cells of the first of these columns that a file has; empty cells if it has none.

    Raises
    ------
    PredictionsError
        Two of the columns contradict each other: neither is known to be the right one.
    """
    present = _present(columns, names)
    if not present:
        return [""] * len(next(iter(columns.values())))
    for other in present[1:]:
        check_same_cells(columns[present[0]], columns[other], (present[0], other), path)
    return columns[present[0]]


def split_cells(columns: CSVColumns, path: Path) -> StrArray | None:
    """Return the split of each image, (n,); None if the file has no column of splits."""
    if not has_column(columns, _SPLIT_COLUMNS):
        return None
    return np.array(metadata_cells(columns, _SPLIT_COLUMNS, path))


def image_cells(columns: CSVColumns, names: Sequence[str]) -> list[str]:
    """Return the names of images, from the first of these columns that a file has; others may be paths or numbers."""
    return columns[_present(columns, names)[0]]


def _present(columns: CSVColumns, names: Sequence[str]) -> list[str]:
    """Return the columns with one of the names, in their order, the exact name first."""
    by_name: dict[str, list[str]] = {}
    for column in columns:
        name = normalize_column_name(column)
        same = by_name.setdefault(name, [])
        same.insert(0 if column == name else len(same), column)
    return [column for name in names for column in by_name.get(name, ())]


def check_same_cells(
    cells: Sequence[str], other_cells: Sequence[str], names: tuple[str, str], path: Path
) -> None:
    """Raise an error if two columns of these names contradict each other in a row in which both are known."""
    for row, (first, second) in enumerate(zip(cells, other_cells, strict=True), start=1):
        known = not is_missing(first) and not is_missing(second)
        if known and canonical_or_raw(first).casefold() != canonical_or_raw(second).casefold():
            raise PredictionsError(
                f"{path}: the columns {names[0]} and {names[1]} have different cells, for example {first!r} and "
                f"{second!r} in row {row}; remove one of the columns"
            )
