"""Tests of the page of simulated runs: contents, omitted comparisons, and consistent CSV, JSON and Markdown files."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from lesionlens.core.errors import DataError
from lesionlens.reproduction import html_page as page
from lesionlens.reproduction.figures.base import WrittenFigure
from lesionlens.reproduction.html_page import write_page
from lesionlens.reproduction.planner import TableResults

from ..helpers.fake_runs import fake_results, fake_table_spec

TABLE = fake_table_spec(
    columns=[
        {"name": "AUC", "metric": "auc", "class": "melanoma"},
        {"name": "Gap", "difference_of": ["AUC", "F1"]},
        {"name": "F1", "metric": "f1", "class": "melanoma"},
    ],
    rows=[
        {
            "name": "A<b>",
            "group": "Ours",
            "recipe": "a",
            "published": {"AUC": [0.93, 0.001]},
            "note": "as in Table V",
        },
        {"name": "B", "group": "Ours", "recipe": "b", "published": {"AUC": 0.1}},
        {"name": "C", "group": "Others", "recipe": "c"},
        {
            "name": "D",
            "group": "Others",
            "reason_not_run": "quoted from a leaderboard",
            "published": {"AUC": 0.874},
        },
        {"name": "E", "group": "Others", "recipe": "e"},
    ],
    claims=[{"better": "A<b>", "worse": ["B", "C"], "column": "AUC", "quote": "Section V says so."}],
    differences=["Patches are seeded."],
)
SKILLS = {("A<b>", ""): [2.0, 2.1, 1.9], ("B", ""): [0.5, 0.4, 0.6], ("C", ""): [1.0], ("E", ""): [1.0]}
STATES = {"C": "failed", "E": "missing"}


def lines(folder: Path) -> list[dict[str, str]]:
    return pd.read_csv(folder / "table.csv", dtype=str, keep_default_na=False).to_dict("records")


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "render_figure", lambda *_: [])


def simulated(out: Path, profile: str = "paper", statement: str = "") -> TableResults:
    return fake_results(out, TABLE, SKILLS, states=STATES, profile=profile, statement=statement)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("paper")
    results = simulated(out)
    (results.cells_for("A<b>")[0].run_dir.path / "report.html").write_text("a report")
    return write_page(results, out / "pages" / "arl-made-up").parent


def test_page_is_self_contained_and_complete(written: Path) -> None:
    text = (written / "table.html").read_text(encoding="utf-8")
    for outside in ("http://", 'src="figures', "<script", "<link"):
        assert outside not in text
    assert "A&lt;b&gt;" in text
    assert "A<b>" not in text
    flat_text = " ".join(text.split())
    for phrase in (
        "Research use only, not a medical device.", "Table III of Zhang et al. 2019", "as in Table V", "0 of 1 run<",
        "1 of 1 runs failed: the GPU caught fire", "quoted from a leaderboard", "1 of 1 runs are not finished: missing",
        "Patches are seeded.", 'href="../../jobs/A&lt;b&gt;--0/report.html"', "not run", "✓ holds",
        "data:image/svg+xml;base64,", "1 of 2 claims holds (1 could be tested). So "
        "far 6 of 8 runs are finished.",
    ):  # fmt: skip
        assert phrase in flat_text, phrase


def test_tables_scroll_and_claims_are_labeled_on_phones(written: Path) -> None:
    html = (written / "table.html").read_text(encoding="utf-8")
    regions = re.findall(
        r'<div class="wide[^"]*" tabindex="0" role="region" aria-label="[^"]+">\s*<table', html
    )
    assert len(regions) == html.count("<table") > 2
    labels = ["Column", "Published difference", "Measured difference", "p (Holm)", "Verdict"]
    assert re.findall(r'<td data-label="([^"]+)">', html) == labels * 2
    assert ".claims td::before { content: attr(data-label);" in html


def test_marks_distinguish_inside_from_outside(written: Path) -> None:
    rows = {(row["row"], row["column"]): row for row in lines(written)}
    a, b = rows["A<b>", "AUC"], rows["B", "AUC"]
    assert (a["published_in_interval"], b["published_in_interval"]) == (
        "yes" if float(a["low"]) <= 0.93 <= float(a["high"]) else "no",
        "no",
    )
    assert float(a["difference"]) == pytest.approx(float(a["measured"]) - 0.93, abs=1e-5)
    text = (written / "table.html").read_text(encoding="utf-8")
    held = sum(row["published_in_interval"] == "yes" for row in rows.values())
    assert (text.count('class="mark">●'), text.count('class="mark">○')) == (held, 2 - held)
    assert f"{held} of 2 published numbers" in text


def test_csv_has_a_line_for_each_number(written: Path) -> None:
    rows = lines(written)
    assert [(row["row"], row["column"]) for row in rows] == [
        (row, column) for row in ("A<b>", "B", "C", "D", "E") for column in ("AUC", "Gap", "F1")
    ]
    a = {row["column"]: row for row in rows if row["row"] == "A<b>"}
    assert float(a["Gap"]["measured"]) == pytest.approx(
        float(a["AUC"]["measured"]) - float(a["F1"]["measured"]), abs=1e-5
    )
    assert (a["AUC"]["num_runs"], a["AUC"]["interval_source"], a["AUC"]["published_spread"]) == (
        "3",
        "runs",
        "0.001",
    )
    d = next(row for row in rows if (row["row"], row["column"]) == ("D", "AUC"))
    assert (d["published"], d["measured"], d["notes"]) == ("0.874", "", "quoted from a leaderboard")


def test_json_results_equal_the_page(written: Path) -> None:
    record = json.loads((written / "results.json").read_text(encoding="utf-8"))
    expected = {"name": "arl/made-up", "title": "Table III", "paper": "arl", "profile": "paper", "dataset": "isic2017",
              "synthetic": False, "runs": 8, "finished": 6, "failed": 1, "is_comparable_to_paper": True}  # fmt: skip
    assert {key: record[key] for key in expected} == expected
    assert record["date"].endswith("+00:00")
    first, second = record["claims"]
    assert (first["verdict"], second["verdict"], second["p"]) == ("holds", "not run", None)
    by_csv = [row["measured"] for row in lines(written)]
    assert [
        f"{row['measured']:.6g}" if row["measured"] is not None else "" for row in record["rows"]
    ] == by_csv


def test_markdown_has_the_same_rows(written: Path) -> None:
    text = (written / "table.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith(("| Ours", "| Others"))]
    assert [row.split("|")[1].strip() for row in rows] == [
        "Ours: A<b>",
        "Ours: B",
        "Others: C",
        "Others: D",
        "Others: E",
    ]
    assert any("0.930 ± 0.001" in row for row in rows)


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize(("profile", "statement"), [("paper", "generated by LesionLens"), ("short", "")])
def test_no_comparison_for_other_images_or_small_networks(
    tmp_path: Path, profile: str, statement: str
) -> None:
    folder = write_page(simulated(tmp_path, profile, statement), tmp_path / "page").parent
    record = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert (record["is_comparable_to_paper"], record["synthetic"]) == (False, bool(statement))
    assert "says nothing about the published numbers" in record["summary"]
    assert {row["published_in_interval"] for row in record["rows"]} == {None}
    assert any(row["difference"] is not None for row in record["rows"])
    text = (folder / "table.html").read_text(encoding="utf-8")
    assert record["summary"] in text
    assert "none is counted as reproduced or not" in text
    assert "●" not in text
    assert "in the measured 95 % interval" not in text


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize(
    ("profile", "statement", "overrides"),
    [
        ("smoke", "", ()),
        pytest.param("smoke", "generated by LesionLens", (), marks=pytest.mark.slow),
        ("short", "", ()),
        pytest.param("paper", "generated by LesionLens", (), marks=pytest.mark.slow),
        ("paper", "", ("train.epochs=1",)),
    ],
)
def test_claims_are_not_judged_if_not_comparable(
    tmp_path: Path, profile: str, statement: str, overrides: tuple[str, ...]
) -> None:
    results = replace(simulated(tmp_path, profile, statement), protocol_differences=overrides)
    folder = write_page(results, tmp_path / "page").parent
    record = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert [claim["verdict"] for claim in record["claims"]] == ["not judged", "not run"]
    assert record["claims"][0]["p"] < 0.05
    assert "claims" not in record["summary"]
    html = (folder / "table.html").read_text(encoding="utf-8")
    assert '<span class="word unjudged">– not judged</span>' in html
    markdown = (folder / "table.md").read_text(encoding="utf-8")
    assert "| not judged |" in markdown
    for text in (html[html.index("<body") :], markdown):
        assert "holds" not in text
        assert "✓" not in text


@pytest.mark.usefixtures("no_figures")
def test_a_changed_protocol_is_not_the_papers(tmp_path: Path) -> None:
    results = replace(
        simulated(tmp_path), protocol_differences=("train.epochs=1",), command="lesionlens reproduce it"
    )
    folder = write_page(results, tmp_path / "page").parent
    record = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert not record["is_comparable_to_paper"]
    assert record["summary"].startswith(
        "Measured on real images with a changed protocol: it says nothing about the"
    )
    text = (folder / "table.html").read_text(encoding="utf-8")
    assert "●" not in text
    assert "<code>lesionlens reproduce it</code>" in text


@pytest.mark.usefixtures("no_figures")
def test_nothing_run_yet(tmp_path: Path) -> None:
    results = fake_results(tmp_path, TABLE, {("B", ""): [1.0]}, states={"B": "missing"})
    folder = write_page(results, tmp_path / "page").parent
    assert "Nothing has been measured yet." in (folder / "table.html").read_text(encoding="utf-8")
    assert next(iter(lines(folder)))["measured"] == ""


@pytest.mark.usefixtures("no_figures")
def test_rows_with_the_same_runs(tmp_path: Path) -> None:
    results = fake_results(tmp_path, TABLE, {("A<b>", ""): [1.0], ("B", ""): [1.0]}, shared={"B": "A<b>"})
    text = write_page(results, tmp_path / "page").read_text(encoding="utf-8")
    assert "the same as A&lt;b&gt;" in text
    assert "the same run here" in text


def test_figures_without_values_or_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> list[WrittenFigure]:
        raise DataError("the images have gone")

    monkeypatch.setattr(page, "render_figure", fails)
    bare = fake_table_spec(columns=[])
    text = write_page(fake_results(tmp_path, bare, {("A", ""): [1.0]}), tmp_path / "page").read_text(
        encoding="utf-8"
    )
    assert "the images have gone" in text
    assert "Measured and published" not in text


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize(("statement", "of"), [("synthetic", "real lesions"), ("", "fully trained networks")])
def test_open_question_mentions_no_published_numbers(tmp_path: Path, statement: str, of: str) -> None:
    spec = fake_table_spec(
        paper="open", claims=[{"better": "A", "worse": "B", "column": "AUC", "quote": "Expected."}]
    )
    results = fake_results(
        tmp_path,
        spec,
        {("A", ""): [2.0, 2.1, 1.9], ("B", ""): [0.5, 0.4, 0.6]},
        profile="short",
        statement=statement,
    )
    text = write_page(results, tmp_path / "page").read_text(encoding="utf-8")
    assert f"it says nothing about {of}.</p>" in text
    assert "Expectations" in text
    assert "ublished" not in text[text.index("<body") :]


def test_many_columns_are_split_into_several_tables(tmp_path: Path) -> None:
    columns = [{"name": f"c{n}", "metric": "auc", "class": "melanoma"} for n in range(18)]
    text = write_page(
        fake_results(tmp_path, fake_table_spec(columns=columns), {}), tmp_path / "page"
    ).read_text(encoding="utf-8")
    assert text.count('<table class="measured-table">') == 2
    assert "size: A4 landscape" in text
    assert [text.count(f"<th>c{n}<") for n in range(18)] == [1] * 18
