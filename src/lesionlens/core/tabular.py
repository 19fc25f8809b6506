"""CSV and Parquet files, read as text so that the id 00123 stays 00123."""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lesionlens.core.errors import DataError, PredictionsError
from lesionlens.core.fileio import write_text

NESTED_COLUMNS = "nested_columns"
"""Key in ``frame.attrs`` of the Parquet columns that were excluded: pairs of name and content."""
_SEPARATORS = ",;\t"


def read_table(
    path: Path, *, normalize_columns: bool = False, column_names: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a CSV or Parquet file as a frame of stripped text; empty cells are ``""``.

    Columns without a name are excluded, and so are Parquet columns of structures, lists or bytes (see
    ``NESTED_COLUMNS``). The levels of a Parquet index are columns.

    Parameters
    ----------
    path
        Parquet, or CSV in UTF-8 with or without a byte order mark. The separator (comma, semicolon or tab) is detected
        from the first line, which may also state it, as in ``sep=;``.
    normalize_columns
        Convert the column names as in ``normalize_column_name``.
    column_names
        Names of the columns of a CSV file without a header. Default: the file has a header.

    Raises
    ------
    DataError
        The file is missing, empty, not UTF-8, of another format, or its rows do not match its header.
    """
    try:
        frame = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path, column_names)
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(f"{path} cannot be read as a table: {reason}") from error
    if normalize_columns:
        frame.columns = frame.columns.map(normalize_column_name)
    frame = frame.loc[:, frame.columns != ""]
    if frame.empty:
        raise DataError(f"{path} has no rows below its header")
    duplicates = sorted(set(frame.columns[frame.columns.duplicated()]))
    if duplicates:
        raise DataError(f"{path} has two columns named {duplicates[0]!r}; rename or remove one")
    return frame


def normalize_column_name(name: str) -> str:
    """Return a column name in lower case, with underscores for blanks and hyphens.

    Examples
    --------
    >>> normalize_column_name(" Lesion ID"), normalize_column_name("patient-id")
    ('lesion_id', 'patient_id')
    """
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())


_UNREADABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
)  # control characters, line separators, surrogates


def is_readable_back(cell: str) -> bool:
    r"""Return whether a cell can be written into a table and read back unchanged by any program.

    Examples
    --------
    >>> [is_readable_back(cell) for cell in ("é 1", "a\r", " a", "a\x00b", "\ud800")]
    [True, False, False, False, False]
    """
    return cell == cell.strip() and not _UNREADABLE.search(cell)


def _read_parquet(path: Path) -> pd.DataFrame:
    with path.open("rb") as stream:
        _check_format(stream.read(_HEAD_BYTES), path)
    table = pq.read_table(path)
    columns: dict[str, list[str]] = {}
    nested: list[tuple[str, str]] = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        try:
            columns[_index_name(name)] = list(map(_cell_text, column.to_pylist()))
        except _NestedCellError as error:
            nested.append((name, str(error)))
    if len(columns) + len(nested) < len(table.column_names):
        raise ValueError("two of its columns have the same name")
    frame = pd.DataFrame(columns, dtype=object)
    frame.attrs[NESTED_COLUMNS] = tuple(nested)
    return frame


def _index_name(name: str) -> str:
    """Return the name of a column; pandas stores an index without a name as ``__index_level_0__``."""
    return re.sub(r"^__index_level_(\d+)__$", r"index_\1", name).strip()


class _NestedCellError(Exception):
    """A cell that is not text; the message says what it is."""


def _cell_text(cell: object) -> str:
    """Return a cell as text; integers that were stored as floating point, because others are unknown, as integers."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return "" if math.isnan(cell) else str(int(cell)) if cell.is_integer() else str(cell)
    if isinstance(cell, bytes):
        try:
            return cell.decode().strip()
        except UnicodeDecodeError:
            raise _NestedCellError("bytes") from None
    if isinstance(cell, Mapping):
        raise _NestedCellError(f"structures of {' and '.join(map(str, cell))}")
    if isinstance(cell, list | tuple):
        raise _NestedCellError("lists")
    return str(cell).strip()


def _read_csv(path: Path, column_names: Sequence[str]) -> pd.DataFrame:
    lines = list(_read_rows(path))
    if not lines:
        raise ValueError("it is empty")
    names = list(column_names) or [name.strip() for name in lines.pop(0)[1]]
    body = []
    for number, cells in lines:
        row = [cell.strip() for cell in cells]
        if len(row) < len(names) or any(row[len(names) :]):
            expected = f"expected: {', '.join(names)}" if column_names else f"the header has {len(names)}"
            raise ValueError(f"line {number} has {len(cells)} cells, {expected}")
        body.append(row[: len(names)])
    return pd.DataFrame(body, columns=names, dtype=object)


def _read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the cells of each line that is not blank, with its line number."""
    text = _decode(path.read_bytes(), path)
    first, _, rest = text.lstrip().partition("\n")
    if match := re.fullmatch(r'"?sep=([,;\t])"?\s*', first):  # the first line of some files for Excel
        text, separator = rest, match[1]
    else:
        separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True
    )
    return [(reader.line_num + bool(match), cells) for cells in reader if any(map(str.strip, cells))]


def _decode(content: bytes, path: Path) -> str:
    head = content[:_HEAD_BYTES]
    _check_format(head, path)
    encoding, position = _unicode_encoding(head), 0
    if not encoding and b"\x00" in head:
        raise ValueError(f"it is not a text file; {_SAVE_AS_CSV}")
    if not encoding:
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            encoding, position = "WINDOWS-1252", error.start
    raise ValueError(
        f"byte {position:,} is not UTF-8; save it as 'CSV UTF-8', or convert it: "
        f"iconv -f {encoding} -t UTF-8 {path.name} > utf8-{path.name}"
    )


def _unicode_encoding(head: bytes) -> str:
    """Return UTF-32 or UTF-16 if a file begins as text in it, also without a byte order mark, otherwise ``""``."""
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "UTF-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    names = head.partition(b"\n")[0][:_HEAD_BYTES]  # names of columns are ASCII, so every second byte is 0
    high, low = names[0::2], names[1::2]
    return "UTF-16BE" if high and not any(high) else "UTF-16LE" if low and not any(low) else ""


_HEAD_BYTES = 4096
_SAVE_AS_CSV = "save it as CSV (CSV UTF-8 in Excel) and pass that file"
_SPREADSHEETS = {
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb"), "an Excel workbook"),
    ".ods": "an OpenDocument spreadsheet",
    ".numbers": "a Numbers spreadsheet",
}
OTHER_TABLE_SUFFIXES = {
    *_SPREADSHEETS,
    ".xls",
    ".parquet",
    ".pq",
    ".feather",
    ".json",
    ".jsonl",
    ".tsv",
    ".pkl",
    ".npy",
    ".npz",
}
_FOREIGN_FORMATS = (
    (b"\xd0\xcf\x11\xe0", f"it is an old Excel workbook or another Office file; {_SAVE_AS_CSV}"),
    (b"\x1f\x8b", "it is a gzip archive; unpack it"),
    (b"GIF8", "it is an image"),
    (b"\x89PNG", "it is an image"),
    (b"\xff\xd8\xff", "it is an image"),
    (b"%PDF", "it is a PDF document"),
    (b"SQLite format 3", f"it is a database; {_SAVE_AS_CSV}"),
    (b"ARROW1", f"it is a Feather file; {_SAVE_AS_CSV}"),
    (b"FEA1", f"it is a Feather file; {_SAVE_AS_CSV}"),
    (b"{\\rtf", f"it is a text document; {_SAVE_AS_CSV}"),
    (b"<!DOCTYPE html", "it is an HTML page, which a failed download leaves; download the file again"),
    (b"<html", "it is an HTML page, which a failed download leaves; download the file again"),
    (b"version https://git-lfs", "it is a Git LFS pointer, not the file; run git lfs pull"),
)


def _check_format(head: bytes, path: Path) -> None:
    """Raise an error that names the format of a file which is not a table of text, from its first bytes."""
    if head.startswith(b"PAR1") and path.suffix.lower() != ".parquet":
        raise ValueError("it is a Parquet file; name it FILE.parquet")
    if re.match(rb'\s*(\[\s*)?\{\s*"', head):
        raise ValueError(f"it is a JSON file; {_SAVE_AS_CSV}")
    if head.startswith(b"PK\x03\x04"):
        kind = _SPREADSHEETS.get(path.suffix.lower(), "a zip archive")
        kind = "an Excel workbook" if b"xl/" in head or b"[Content_Types].xml" in head else kind
        kind = "an OpenDocument spreadsheet" if b"opendocument" in head else kind
        raise ValueError(f"it is {kind}; {'unpack it' if kind == 'a zip archive' else _SAVE_AS_CSV}")
    for magic, reason in _FOREIGN_FORMATS:
        if head.startswith(magic):
            raise ValueError(reason)
    if not head.startswith(b"PAR1") and path.suffix.lower() == ".parquet":
        raise ValueError("it is not a Parquet file; name a CSV file FILE.csv")


CSVColumns = dict[str, list[str]]
"""Column name to cells."""


def read_csv_columns(path: Path, *, is_used: Callable[[str], bool] = lambda _: False) -> CSVColumns:
    """Read the columns of a predictions file as ``read_table`` does.

    Parameters
    ----------
    is_used
        Whether a Parquet column of this name must not hold structures, lists or bytes.

    Raises
    ------
    PredictionsError
        The file does not exist, is a directory, is not UTF-8, has no rows or has two columns of the same name, the
        length of a row differs from that of the header, or a column that is used holds no text.
    """
    if path.is_dir():
        raise PredictionsError(f"{path} is a folder; name a CSV file in it")
    if not path.exists():
        raise PredictionsError(f"there is no file {path}; check the name")
    try:
        table = read_table(path)
    except DataError as error:
        raise PredictionsError(str(error)) from error
    for name, kind in table.attrs.get(NESTED_COLUMNS, ()):
        if is_used(name):
            raise PredictionsError(f"{path}: the column {name} holds {kind}; write numbers or text into it")
    return {str(name): table[name].tolist() for name in table.columns}


def write_csv_columns(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Write columns of equal length as CSV, as ``write_csv_rows`` does."""
    write_csv_rows(path, [tuple(columns), *zip(*columns.values(), strict=True)])


def write_csv_rows(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write rows as CSV, atomically and with identical bytes on every system.

    Cells with a carriage return or a line feed are quoted by every version of Python, so that they can be read back.
    """
    lines: list[str] = []
    writer = csv.writer(_RowCollector(lines), lineterminator="\r\n")  # both characters are quoted in cells
    writer.writerows(rows)
    write_text(path, "".join(f"{line}\n" for line in lines))


class _RowCollector:
    """Stream that keeps each row of a CSV writer without its line terminator."""

    def __init__(self, rows: list[str]) -> None:
        self.rows = rows

    def write(self, row: str) -> None:
        self.rows.append(row.removesuffix("\r\n"))


def to_floats(
    columns: CSVColumns, names: tuple[str, ...], path: Path, *, highest: int = 1
) -> NDArray[np.float64]:
    """Parse text columns as numbers, (n, k); a decimal comma is accepted, as many spreadsheets write 0,75.

    Parameters
    ----------
    highest
        Highest allowed number, for the message; numbers are not compared with it.

    Raises
    ------
    PredictionsError
        A cell is not a number; the message names the first one.
    """
    numbers = np.empty((len(columns[names[0]]), len(names)))
    for column, name in enumerate(names):
        for row, cell in enumerate(columns[name]):
            try:
                numbers[row, column] = float(cell.replace(",", ".").replace("_", "?"))  # 1_0 is not 10
            except ValueError as error:
                raise PredictionsError(
                    f"{path}, row {row + 1}, column {name}: {cell!r} is not a number from 0 to {highest}"
                ) from error
    return numbers


def format_floats(values: NDArray[np.float64]) -> list[str]:
    """Format each number as the shortest text that parses to the same number."""
    return [repr(float(number)) for number in values]
