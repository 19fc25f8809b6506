"""CSV and Parquet files, read as text so that the id 00123 stays 00123."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionlens.core.errors import DataError, PredictionsError
from lesionlens.core.fileio import write_text


def read_table(
    path: Path, *, lowercase_columns: bool = False, column_names: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a CSV or Parquet file as a frame of stripped text; empty cells are ``""``.

    Parameters
    ----------
    path
        Parquet, or CSV in UTF-8 with or without a byte order mark. The separator (comma, semicolon or tab) is detected
        from the first line.
    lowercase_columns
        Convert the column names to lower case.
    column_names
        Names of the columns of a CSV file without a header. Default: the file has a header.

    Raises
    ------
    DataError
        The file is missing, empty, not UTF-8, or its rows do not match its header.
    """
    try:
        frame = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path, column_names)
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read as a table: {reason}") from error
    frame.columns = frame.columns.str.lower() if lowercase_columns else frame.columns
    if frame.empty:
        raise DataError(f"{path} has no rows below its header")
    duplicates = sorted(set(frame.columns[frame.columns.duplicated()]))
    if duplicates:
        raise DataError(f"{path} has two columns named {duplicates[0]!r}; rename or remove one")
    return frame


def _read_parquet(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    text = [frame[name].map(_cell_text, na_action=None).astype(object) for name in frame.columns]
    return pd.DataFrame(dict(zip(map(str, frame.columns), text, strict=True)))


def _cell_text(cell: object) -> str:
    return "" if pd.api.types.is_scalar(cell) and pd.isna(cell) else str(cell).strip()  # type: ignore[call-overload]


def _read_csv(path: Path, column_names: Sequence[str]) -> pd.DataFrame:
    lines = list(_read_rows(path))
    if not lines:
        raise ValueError("it is empty")
    names = list(column_names) or [name.strip() for name in lines.pop(0)[1]]
    body = []
    for number, cells in lines:
        if len(cells) != len(names):
            expected = f"expected: {', '.join(names)}" if column_names else f"the header has {len(names)}"
            raise ValueError(f"line {number} has {len(cells)} cells, {expected}")
        body.append([cell.strip() for cell in cells])
    return pd.DataFrame(body, columns=names, dtype=object)


def _read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the cells of each line that is not blank, with its line number."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"byte {error.start:,} is not UTF-8; save it as 'CSV UTF-8', or convert it (iconv -t UTF-8)"
        ) from error
    first = text.lstrip().partition("\n")[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True
    )
    return [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]


CSVColumns = dict[str, list[str]]
"""Column name to cells."""


def read_csv_columns(path: Path) -> CSVColumns:
    """Read the columns of a predictions file as ``read_table`` does.

    Raises
    ------
    PredictionsError
        The file does not exist, is a directory, is not UTF-8, has no rows or has two columns of the same name, or the
        length of a row differs from that of the header.
    """
    if path.is_dir():
        raise PredictionsError(f"{path} is a folder; name a CSV file, such as predictions.csv in it")
    if not path.exists():
        raise PredictionsError(f"there is no file {path}; check the name")
    try:
        table = read_table(path)
    except DataError as error:
        if isinstance(getattr(error.__cause__, "__cause__", None), UnicodeDecodeError):
            raise PredictionsError(
                f"{path} is not a text table in UTF-8. If it comes from a spreadsheet, save it there as 'CSV UTF-8'."
            ) from error
        raise PredictionsError(str(error)) from error
    return {str(name): table[name].tolist() for name in table.columns}


def write_csv_columns(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Write columns of equal length as CSV, atomically and with identical bytes on every system."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_text(path, stream.getvalue())


def to_floats(columns: CSVColumns, names: tuple[str, ...], path: Path) -> NDArray[np.float64]:
    """Parse text columns as numbers, (n, k); a decimal comma is accepted, as many spreadsheets write 0,75.

    Raises
    ------
    PredictionsError
        A cell is not a number; the message names the first one.
    """
    numbers = np.empty((len(columns[names[0]]), len(names)))
    for column, name in enumerate(names):
        for row, cell in enumerate(columns[name]):
            try:
                numbers[row, column] = float(cell.replace(",", "."))
            except ValueError as error:
                raise PredictionsError(
                    f"{path}, row {row + 1}, column {name}: {cell!r} is not a number from 0 to 1"
                ) from error
    return numbers


def format_floats(values: NDArray[np.float64]) -> list[str]:
    """Format each number as the shortest text that parses to the same number."""
    return [repr(float(number)) for number in values]
