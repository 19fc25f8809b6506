"""Tables of spreadsheets and pandas: columns, indexes, encodings, and files that are not tables."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import NESTED_COLUMNS, read_table


def write(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / name


@pytest.mark.parametrize(
    "text",
    [
        "a,b,,\n1,2,,\n",
        "a,b\n1,2,,\n",
        ",a,b\n0,1,2\n",
        "a,,b,\n1,x,2,y\n",
        "sep=;\na;b\n1;2\n",
        '"sep=,"\r\na,b\r\n1,2\r\n',
        "a\tb\t\n1\t2\t\n",
    ],
)
def test_read_table_ignores_columns_without_a_name(tmp_path: Path, text: str) -> None:
    frame = read_table(write(tmp_path, text))
    assert frame.to_dict("list") == {"a": ["1"], "b": ["2"]}


def test_read_table_rejects_cells_beyond_the_header(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 3 has 3 cells, the header has 2"):
        read_table(write(tmp_path, "a,b\n1,2,\n3,4,5\n"))
    with pytest.raises(DataError, match="line 4 has 1 cells"):
        read_table(write(tmp_path, "sep=,\na,b\n1,2\n3\n"))


def test_read_table_normalizes_column_names(tmp_path: Path) -> None:
    path = write(tmp_path, "Lesion ID,PATIENT-id\n1,2\n")
    assert list(read_table(path)) == ["Lesion ID", "PATIENT-id"]
    assert list(read_table(path, normalize_columns=True)) == ["lesion_id", "patient_id"]
    with pytest.raises(DataError, match="two columns named 'lesion_id'"):
        read_table(write(tmp_path, "Lesion ID,lesion_id\n1,2\n"), normalize_columns=True)


INDEXED = {
    "named index": pd.DataFrame({"b": ["x", "y"]}, index=pd.Index(["1", "2"], name="a")),
    "index equal to a column": pd.DataFrame({"a": ["1", "2"], "b": ["x", "y"]}).reset_index(drop=True),
    "two levels": pd.DataFrame({"a": ["1", "2"], "b": ["x", "y"]}).set_index(["a", "b"]),
    "numbers": pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
    "numbers stored as floats": pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}),
    "categories": pd.DataFrame({"a": ["1", "2"], "b": ["x", "y"]}, dtype="category"),
}


@pytest.mark.parametrize("kind", INDEXED)
def test_read_table_reads_the_levels_of_a_parquet_index(tmp_path: Path, kind: str) -> None:
    INDEXED[kind].to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet")[["a", "b"]].to_dict("list") == {
        "a": ["1", "2"],
        "b": ["x", "y"],
    }


def test_read_table_names_an_index_without_a_name(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1.5, np.nan]}, index=["p", "q"]).to_parquet(tmp_path / "t.parquet")
    frame = read_table(tmp_path / "t.parquet")
    assert frame.to_dict("list") == {"a": ["1.5", ""], "index_0": ["p", "q"]}


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ({"bytes": b"\xff\xd8", "path": "a.jpg"}, "structures of bytes and path"),
        (b"\xff\xd8\xff", "bytes"),
        ([1, 2], "lists"),
    ],
)
def test_read_table_excludes_nested_parquet_columns(tmp_path: Path, cell: object, kind: str) -> None:
    pd.DataFrame({"image": [cell], "label": ["nv"]}).to_parquet(tmp_path / "t.parquet")
    frame = read_table(tmp_path / "t.parquet")
    assert frame.to_dict("list") == {"label": ["nv"]}
    assert frame.attrs[NESTED_COLUMNS] == (("image", kind),)


def test_read_table_names_an_excel_workbook(tmp_path: Path) -> None:
    for name in ("t.xlsx", "t.csv"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("[Content_Types].xml", "<Types/>")
            archive.writestr("xl/workbook.xml", "<workbook/>")
        with pytest.raises(
            DataError, match=r"it is an Excel workbook; save it as CSV \(CSV UTF-8 in Excel\)"
        ):
            read_table(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("t.xlsx", "an Excel workbook"),
        ("t.XLSM", "an Excel workbook"),
        ("t.numbers", "a Numbers spreadsheet"),
    ],
)
def test_read_table_names_spreadsheets_by_extension(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 without any known name")
    with pytest.raises(DataError, match=f"it is {kind}; save it as CSV"):
        read_table(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
        (b"PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "an OpenDocument spreadsheet"),
        (b"PK\x03\x04a.csv", "a zip archive; unpack it"),
        (b"\x1f\x8b\x08", "a gzip archive; unpack it"),
        (b"PAR1", "a Parquet file; name it FILE.parquet"),
        (b"\x89PNG\r\n", "it is an image"),
        (b"<!DOCTYPE html><html>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        ("a\nå\n".encode("latin-1"), r"iconv -f WINDOWS-1252 -t UTF-8 t\.csv > utf8-t\.csv"),
        ("a\nb\n".encode("utf-16"), r"iconv -f UTF-16 -t UTF-8"),
        ("a,b\nå,1\n".encode("utf-16-le"), r"iconv -f UTF-16LE -t UTF-8"),
        ("a,b\nå,1\n".encode("utf-16-be"), r"iconv -f UTF-16BE -t UTF-8"),
        ("a\nb\n".encode("utf-32"), r"iconv -f UTF-32 -t UTF-8"),
        (b"ARROW1\x00\x00", "it is a Feather file; save it as CSV"),
        (b'{"a":{"0":1}}', "it is a JSON file; save it as CSV"),
        (b'[\n  {"a": 1}]', "it is a JSON file; save it as CSV"),
        (pickle.dumps([1.5, "a"]), "it is not a text file; save it as CSV"),
        (b"\x89HDF\r\n\x1a\n\x00", "it is not a text file; save it as CSV"),
    ],
)
def test_read_table_names_other_formats(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=rf"t\.csv cannot be read as a table: .*{reason}"):
        read_table(write(tmp_path, content))


def test_read_table_names_text_that_is_called_parquet(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"it is not a Parquet file; name a CSV file FILE\.csv"):
        read_table(write(tmp_path, "a,b\n1,2\n", "t.parquet"))
