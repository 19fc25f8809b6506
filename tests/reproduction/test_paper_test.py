"""Tests of the paper's own t-test, of single runs and of text columns on pages, against scipy."""

import json
import math
from pathlib import Path

import pytest
from scipy import stats

from lesionlens.core.errors import LesionLensError
from lesionlens.reproduction import html_page
from lesionlens.reproduction.catalog import load_table_spec
from lesionlens.reproduction.html_page import write_page
from lesionlens.reproduction.outcome import TableOutcome, evaluate_table
from lesionlens.reproduction.paper_test import paper_test_lines

from ..helpers.fake_runs import fake_results, fake_table_spec

TEST = {"first": "B", "second": "A", "column": "AUC", "significance_level": 0.01, "num_runs": 10}


def simulated(tmp_path: Path, runs: int = 4, **options: object) -> TableOutcome:
    published = {"A": [91.66, 0.026667], "B": [90.26, 0.049889]}
    spec = fake_table_spec(
        unit="percent",
        attributes={"Masks": "uses masks", "Data": "training data"},
        rows=[
            {"name": name, "recipe": name, "published": {"AUC": published[name]}, "attributes": attributes}
            for name, attributes in (("A", {"Masks": True, "Data": "own"}), ("B", {"Masks": False}))
        ],
        paper_test=TEST,
        single_runs="AUC",
    )
    skills = {("A", ""): [2.5, 2.6, 2.4, 2.5][:runs], ("B", ""): [0.2, 0.5, 0.4, 0.3][:runs]}
    return evaluate_table(fake_results(tmp_path, spec, skills, **options))


def test_the_papers_test_is_independent_and_pooled(tmp_path: Path) -> None:
    outcome = simulated(tmp_path)
    first, second = ([100 * run.value for run in outcome.values[row, "AUC"]] for row in "BA")
    published, independent, paired = paper_test_lines(outcome)
    assert (published.t, published.df) == (pytest.approx(-78.26, abs=0.01), 18)
    assert published.critical == pytest.approx(2.552, abs=5e-4)  # as in section V.G
    expected = stats.ttest_ind(first, second, alternative="less")
    assert (independent.t, independent.p, independent.df) == pytest.approx((*expected[:2], 6))
    expected = stats.ttest_rel(first, second, alternative="less")
    assert (paired.t, paired.p, paired.df) == pytest.approx((*expected[:2], 3))
    assert [line.conclusion for line in (published, independent, paired)] == ["significant"] * 3


def test_a_small_network_is_not_judged_and_one_run_not_tested(tmp_path: Path) -> None:
    lines = paper_test_lines(simulated(tmp_path / "short", profile="short"))
    assert [line.conclusion for line in lines] == ["significant", "not judged", "not judged"]
    _, single = paper_test_lines(simulated(tmp_path / "one", runs=1))
    assert math.isnan(single.p)
    assert "not tested: 1 runs are too few" in single.note


def test_pages_list_runs_attributes_and_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_page, "render_figure", lambda *_: [])
    outcome = simulated(tmp_path)
    page = write_page(outcome.results, tmp_path / "page")
    text = " ".join(page.read_text(encoding="utf-8").split())
    record = json.loads((page.parent / "results.json").read_text(encoding="utf-8"))
    markdown = (page.parent / "table.md").read_text(encoding="utf-8")
    values = [f"{100 * run.value:.2f}" for run in outcome.values["A", "AUC"]]
    assert "<th>A</th>" + "".join(f"<td>{value}</td>" for value in values) in text
    assert f"| A | {' | '.join(values)} |" in markdown
    assert record["single_runs"]["AUC"]["A"]["run 2"] == pytest.approx(float(values[1]), abs=0.005)
    assert '<td class="attribute">✓</td> <td class="attribute">own</td>' in text
    assert "| B | ✗ | – |" in markdown
    assert record["attributes"] == {"A": {"Masks": True, "Data": "own"}, "B": {"Masks": False}}
    assert len(record["paper_test"]) == 3
    assert "published, independent t" in text
    assert "measured, paired t" in markdown


def test_unknown_attribute_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "paper: m\ntitle: t\ncaption: c\nsource: s\ndataset: d\nattributes: {Masks: uses masks}\n"
        "rows: [{name: A, recipe: a, attributes: {Mask: true}}]\n"
    )
    with pytest.raises(LesionLensError, match="unknown attribute 'Mask': did you mean 'Masks'"):
        load_table_spec(str(path))
