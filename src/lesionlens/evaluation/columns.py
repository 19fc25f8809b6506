"""A CSV file as columns of text; whatever is wrong with the file is said with its line."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionlens.atomic import write_text
from lesionlens.data.sheet import read_table
from lesionlens.errors import DataError, PredictionsError

CSVColumns = dict[str, list[str]]


def read_csv_columns(path: Path) -> CSVColumns:
    """Read a CSV file with a header into column name -> cells, stripped of blanks around them.

    Comma, semicolon or tab is found from the header; parquet works too.

    Raises
    ------
    PredictionsError
        No such file, a folder, not UTF-8, no rows, a column named twice, or a row of another length than the
        header.
    """
    if path.is_dir():
        raise PredictionsError(f"{path} is a folder; give a CSV file, such as a predictions.csv in it")
    if not path.exists():
        raise PredictionsError(f"there is no file {path}; check the name")
    try:
        sheet = read_table(path)
    except DataError as error:
        if isinstance(getattr(error.__cause__, "__cause__", None), UnicodeDecodeError):
            raise PredictionsError(
                f"{path} is no table in plain text (UTF-8). If it comes from a spreadsheet, save it there as "
                "'CSV UTF-8'."
            ) from error
        raise PredictionsError(str(error)) from error
    return {str(name): sheet[name].tolist() for name in sheet.columns}


def write_csv_columns(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Write columns of equal length as CSV, atomically and the same on every system."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_text(path, stream.getvalue())


def to_floats(columns: CSVColumns, names: tuple[str, ...], path: Path) -> NDArray[np.float64]:
    """Turn columns of text into numbers, (n, k); says the first cell that is none.

    A comma is a decimal point: spreadsheets of many countries write 0,75.
    """
    table = np.empty((len(columns[names[0]]), len(names)))
    for place, name in enumerate(names):
        for row, cell in enumerate(columns[name]):
            try:
                table[row, place] = float(cell.replace(",", "."))
            except ValueError as error:
                raise PredictionsError(
                    f"{path}, row {row + 1}, column {name}: {cell!r} is not a number from 0 to 1"
                ) from error
    return table


def format_floats(values: NDArray[np.float64]) -> list[str]:
    """Write each number as the shortest text that reads back as the same number."""
    return [repr(float(number)) for number in values]
