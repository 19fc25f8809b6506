"""Tables for spreadsheets: no cell is a formula, and all others are unchanged."""

import csv
import io
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lesionlens.cli import app
from lesionlens.core.errors import DataError
from lesionlens.core.formulas import copy_without_formulas

HOSTILE = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    '=HYPERLINK("x")',
    "=a,b",
    "=a\nb",
    "-1e",
]
cells = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=6))


def write(path: Path, rows: list[list[str]]) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    path.write_bytes(stream.getvalue().encode())


def read(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(cells.filter(lambda cell: cell), min_size=1, max_size=4), max_size=4))
@example([HOSTILE])
def test_no_cell_is_a_formula_and_others_are_unchanged(tmp_path: Path, rows: list[list[str]]) -> None:
    write(tmp_path / "in.csv", rows)
    changed = copy_without_formulas(tmp_path / "in.csv", tmp_path / "out.csv")
    copied = read(tmp_path / "out.csv")
    pairs = list(zip(chain(*rows), chain(*copied), strict=True))
    assert changed == sum(old != new for old, new in pairs)
    for old, new in pairs:
        assert new in (old, f"'{old}")
        try:
            float(new.replace("_", "x"))  # a number, such as -0.5
        except ValueError:
            assert new[0] not in "=+-@\t\r" or not new.strip("-")


def test_hostile_cells_are_all_changed(tmp_path: Path) -> None:
    write(tmp_path / "in.csv", [HOSTILE, ["-0.5", "1", "+1e-3", "a=b", "x"]])
    arguments = ["data", "escape-formulas", str(tmp_path / "in.csv"), "-o", str(tmp_path / "o.csv")]
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 0
    assert f"{len(HOSTILE)} cells changed" in outcome.output
    assert read(tmp_path / "o.csv") == [[f"'{cell}" for cell in HOSTILE], ["-0.5", "1", "+1e-3", "a=b", "x"]]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b'a,"b\n'])
def test_what_is_not_csv_is_an_error(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "in.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"in\.csv cannot be read as a CSV file: .*Pass a CSV file"):
        copy_without_formulas(tmp_path / "in.csv", tmp_path / "out.csv")
