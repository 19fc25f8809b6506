"""Tests of the reproduction status: records of results, and the page in the documentation."""

import json
from pathlib import Path

import pytest

from lesionlens.core.errors import LesionLensError, RunError
from lesionlens.reproduction.catalog import list_tables
from lesionlens.reproduction.status import ReproductionRecord, merge_records, read_records, render_status_page

DOCS = Path(__file__).parents[2] / "docs"
RESULT = {
    "name": "arl/table5", "profile": "short", "dataset": "isic2017", "synthetic": True, "version": "1.0",
    "date": "2026-03-04T05:06:07+00:00", "runs": 18, "finished": 18, "title": "ignored",
}  # fmt: skip


def write_records(folder: Path, *outcomes: dict) -> Path:
    """Write results, each on a separate page, and merge them into the records."""
    record = folder / "record.json"
    if not record.is_file():
        record.write_text("[]")
    for number, outcome in enumerate(outcomes):
        page = folder / "pages" / str(number)
        page.mkdir(parents=True, exist_ok=True)
        (page / "results.json").write_text(json.dumps(RESULT | outcome))
    merge_records(record, folder / "pages")
    return record


def line(record: Path, name: str) -> str:
    return next(line for line in render_status_page(record).splitlines() if f"`{name}`" in line)


def test_documentation_page_matches_its_record() -> None:
    assert (DOCS / "reproduction-status.md").read_text() == render_status_page(DOCS / "reproduced.json")


def test_every_experiment_has_a_line_with_its_rows_and_trainings(tmp_path: Path) -> None:
    record = write_records(tmp_path, {})
    assert [name for name in list_tables() if f"| `{name}` |" not in render_status_page(record)] == []
    assert "| Table V | " in line(record, "arl/table5")
    assert "| 3 × 2 | 5 |" in line(record, "arl/table5")  # two tasks
    assert "| 2 × 20 | 1 |" in line(record, "arl/table7")  # two tasks, ten runs
    assert "| 24 × 3 | 13 |" in line(record, "patch/table2")  # three folds
    assert line(record, "soft/table3").endswith("| 1 × 1 | – | not run |")


def test_most_complete_reproduction_is_shown(tmp_path: Path) -> None:
    record = write_records(tmp_path, {"profile": "smoke"})
    assert line(record, "arl/table5").endswith(
        "| smoke profile, synthetic images (2026-03-04, version 1.0) |"
    )
    record = write_records(tmp_path, {})
    assert line(record, "arl/table5").endswith(
        "| short profile, synthetic images (2026-03-04, version 1.0) |"
    )
    record = write_records(tmp_path, {"synthetic": False})
    assert line(record, "arl/table5").endswith("| short profile (2026-03-04, version 1.0) |")
    record = write_records(tmp_path, {"profile": "paper", "synthetic": False, "finished": 4})
    assert line(record, "arl/table5").endswith("| run in full, 4 of 18 runs (2026-03-04, version 1.0) |")
    assert len(read_records(record)) == 4


def test_more_runs_count_and_then_the_newer(tmp_path: Path) -> None:
    later = "2026-05-06T00:00:00+00:00"
    (record,) = read_records(write_records(tmp_path, {"finished": 5, "date": later}, {"finished": 18}))
    assert (record.finished, record.date) == (18, RESULT["date"])
    (record,) = read_records(write_records(tmp_path, {"date": later}, {"finished": 0}))
    assert record == ReproductionRecord(
        **{key: value for key, value in RESULT.items() if key != "title"} | {"date": later}
    )


def test_invalid_records(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    with pytest.raises(RunError, match=r"cannot read .*record\.json: No such file"):
        read_records(record)
    record.write_text('[{"name": "arl/table5"}]')
    with pytest.raises(RunError, match=r"record\.json is not a valid record of reproductions"):
        read_records(record)
    record.write_text("[]")
    with pytest.raises(RunError, match=r"no results\.json"):
        merge_records(record, tmp_path / "pages")
    with pytest.raises(RunError, match=r"results\.json is not a valid result of a reproduction"):
        write_records(tmp_path, {"profile": "long"})
    with pytest.raises(LesionLensError, match="unknown table 'arl/tabel5': did you mean 'arl/table5'"):
        render_status_page(write_records(tmp_path, {"name": "arl/tabel5"}))
