"""Cells that a spreadsheet would run as formulas, and copies of tables without them."""

import csv
import io
import re
from pathlib import Path

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import write_csv_rows

_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|nan)|-+", re.IGNORECASE)


def escape_formula(cell: str) -> str:
    """Return a cell with an apostrophe before it if a spreadsheet would run it as a formula; numbers stay.

    Examples
    --------
    >>> [escape_formula(cell) for cell in ("=1+1", "-0.5", "+3e-2", "-x", "@x", "ISIC_1", "--", "")]
    ["'=1+1", '-0.5', '+3e-2', "'-x", "'@x", 'ISIC_1', '--', '']
    """
    is_formula = _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if is_formula else cell


def copy_without_formulas(path: Path, out: Path) -> int:
    """Write a copy of a CSV file whose cells no spreadsheet runs as formulas, and return how many were changed.

    Raises
    ------
    DataError
        The file does not exist, or is not CSV in UTF-8.
    WriteError
        The copy cannot be written.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{path} cannot be read as a CSV file: {reason}. Pass a CSV file in UTF-8") from error
    escaped = [[escape_formula(cell) for cell in row] for row in rows]
    write_csv_rows(out, escaped)
    pairs = zip(rows, escaped, strict=True)
    return sum(old != new for row, new_row in pairs for old, new in zip(row, new_row, strict=True))
