"""A CSV file as columns of text; whatever is wrong with the file is said with its line."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionlens.atomic import write_text
from lesionlens.errors import PredictionsError

Columns = dict[str, list[str]]


def read_columns(path: Path) -> Columns:
    """Read a CSV file with a header into column name -> cells, stripped of blanks around them.

    Raises
    ------
    PredictionsError
        No such file, not UTF-8, no rows, a column named twice, or a row of another length than the header.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets write a byte order mark
    except FileNotFoundError as error:
        raise PredictionsError(f"there is no file {path}; check the name") from error
    except (OSError, UnicodeDecodeError) as error:
        raise PredictionsError(f"{path} cannot be read as UTF-8 text ({error}); give a CSV file") from error
    rows = _rows(text, path)
    if len(rows) < 2:
        raise PredictionsError(f"{path} is empty: it needs a header and at least one row for an image")
    header = rows[0][1]
    return {name: [row[place] for _, row in rows[1:]] for place, name in enumerate(header)}


def write_columns(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Write columns of equal length as CSV, atomically and the same on every system."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_text(path, stream.getvalue())


def numbers(columns: Columns, names: tuple[str, ...], path: Path) -> NDArray[np.float64]:
    """Turn columns of text into numbers, (n, k); says the first cell that is none."""
    table = np.empty((len(columns[names[0]]), len(names)))
    for place, name in enumerate(names):
        for row, cell in enumerate(columns[name]):
            try:
                table[row, place] = float(cell)
            except ValueError as error:
                raise PredictionsError(
                    f"{path}, row {row + 1}, column {name}: {cell!r} is not a number from 0 to 1"
                ) from error
    return table


def texts(numbers: NDArray[np.float64]) -> list[str]:
    """Write each number as the shortest text that reads back as the same number."""
    return [repr(float(number)) for number in numbers]


def _rows(text: str, path: Path) -> list[tuple[int, list[str]]]:
    """Give the lines that are not blank, each with its number, all as long as the header."""
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except csv.Error as error:
        raise PredictionsError(
            f"{path}, line {reader.line_num}: {error}; give a comma-separated file"
        ) from error
    if not rows:
        return rows
    header = rows[0][1]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise PredictionsError(f"{path} names columns twice: {', '.join(twice)}; keep one of each")
    for line, row in rows:
        if len(row) != len(header):
            raise PredictionsError(
                f"{path}, line {line}: {len(row)} cells under a header of {len(header)}; mend this line"
            )
    return rows
