"""Plots of experiments from made-up runs, against scikit-learn and scipy."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from scipy import stats
from sklearn.metrics import roc_auc_score, roc_curve

from lesionlens.core.errors import PredictionsError, RecipeError
from lesionlens.evaluation.metrics import FPR_GRID
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.evaluation.result import read_evaluation
from lesionlens.reproduction.figures.dot_plot import dot_plot
from lesionlens.reproduction.figures.factory import render_figure
from lesionlens.reproduction.figures.roc import mean_roc_curve, mean_roc_figure
from lesionlens.reproduction.figures.sweep import sweep_figure
from lesionlens.reproduction.planner import TableResults
from lesionlens.reproduction.spec import TableSpec

from ..helpers.fake_runs import fake_results

SKILLS = {("one", ""): [1.5], ("three", ""): [0.5, 1.0, 1.5], ("failed", ""): [1.0]}


def experiment(**more: object) -> TableSpec:
    rows = [
        {"name": name, "recipe": "demo", "group": "few" if name == "one" else "many", "x_value": x,
         "published": {"AUC": [91.0, 2.0]} if name == "one" else {}}
        for name, x in (("one", 0.1), ("three", 0.2), ("failed", 0.3))
    ]  # fmt: skip
    said = {
        "paper": "open", "title": "Table 9", "caption": "Made up.", "source": "none", "dataset": "ham10000",
        "unit": "percent", "rows": rows,
        "columns": [
            {"name": "AUC", "metric": "auc", "class": "melanoma"},
            {"name": "ACC", "metric": "accuracy", "class": "all"},
        ],
    }  # fmt: skip
    return TableSpec.model_validate(said | more)


def made(
    out: Path,
    *,
    skills: dict[tuple[str, str], list[float]] | None = None,
    statement: str = "",
    **more: object,
) -> TableResults:
    return fake_results(
        out, experiment(**more), skills or SKILLS, states={"failed": "failed"}, statement=statement
    )


def aucs(found: TableResults, row: str) -> list[float]:
    """Measure each run by scikit-learn."""
    tables = [read_predictions(cell.run_dir.predictions("test")) for cell in found.cells_for(row)]
    return [float(roc_auc_score(table.label == "melanoma", table.scores[:, 1])) for table in tables]


def words(figure: Figure) -> list[str]:
    legends = [axes.get_legend() for axes in figure.axes]
    return [text.get_text() for legend in legends if legend for text in legend.get_texts()]


def test_a_curve_over_runs_is_the_mean_of_sklearns(tmp_path: Path) -> None:
    found = made(tmp_path)
    runs = [read_evaluation(cell.run_dir.evaluation("test")) for cell in found.cells_for("three")]
    rates = []
    for cell in found.cells_for("three"):
        table = read_predictions(cell.run_dir.predictions("test"))
        fpr, tpr, _ = roc_curve(table.label == "melanoma", table.scores[:, 1], drop_intermediate=False)
        rates.append(np.interp(FPR_GRID, fpr, tpr))
    curve = mean_roc_curve(runs, "melanoma")
    np.testing.assert_allclose(curve.tpr[1:], np.mean(rates, axis=0), atol=1e-4)
    np.testing.assert_allclose(curve.low, np.min(rates, axis=0), atol=1e-4)
    assert (curve.fpr[0], curve.tpr[0]) == (0, 0)
    auc = np.array(aucs(found, "three"))
    low, high = stats.t.interval(0.95, 2, auc.mean(), stats.sem(auc))
    assert curve.auc == f"{auc.mean():.3f} ({max(0, low):.3f}–{min(1, high):.3f})"


def test_roc_draws_finished_rows_and_says_which_are_missing(tmp_path: Path) -> None:
    panels = [{"row": "one", "title": "Best"}, {"row": "three"}, {"row": "failed"}]
    figure = {"kind": "roc", "caption": "Curves.", "target": "melanoma", "panels": panels}
    found = made(tmp_path, figure=figure, statement="drawn by a program")
    sketch = mean_roc_figure(found)
    assert sketch is not None
    assert [each.split("  ")[0] for each in words(sketch.figure)] == ["Best", "three"]
    assert f"{aucs(found, 'one')[0]:.3f}" in words(sketch.figure)[0]
    (drawn,) = render_figure(found, tmp_path / "figures")
    assert drawn.note == "Not drawn, as no run is finished: failed."
    assert drawn.caption.startswith("Curves. ")
    with Image.open(drawn.path) as image:
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    text = drawn.path.with_suffix(".svg").read_text(encoding="utf-8")
    assert "Research use only, not a medical device. Synthetic images." in text


def test_an_unknown_class_of_a_curve_is_refused(tmp_path: Path) -> None:
    found = made(
        tmp_path, figure={"kind": "roc", "caption": "", "target": "naevus", "panels": [{"row": "one"}]}
    )
    with pytest.raises(PredictionsError, match="did you mean 'nevus'"):
        mean_roc_figure(found)


def test_dots_are_what_was_measured_and_published(tmp_path: Path) -> None:
    found = made(tmp_path)
    sketch = dot_plot(found)
    assert sketch is not None
    assert sketch.notes == ("Not measured: failed.",)
    left = sketch.figure.axes[0]
    assert [label.get_text() for label in left.get_yticklabels()] == ["few", "one", "many", "three", "failed"]
    points = {}
    for line in left.lines:
        x, y = (np.asarray(each, dtype=float).ravel() for each in line.get_data())
        if line.get_marker() in {"o", "D", "|"} and len(x):
            points[line.get_marker(), y[0]] = x
    assert points["D", 1.0] == 91.0
    np.testing.assert_allclose(points["o", 1.0], 100 * np.array(aucs(found, "one")))
    np.testing.assert_allclose(np.sort(points["|", 3.0]), 100 * np.sort(aucs(found, "three")))
    np.testing.assert_allclose(points["o", 3.0], [100 * np.mean(aucs(found, "three"))])


@pytest.mark.parametrize("published", [{}, {"AUC": 91.0}])
def test_nothing_is_called_published_where_nothing_is(tmp_path: Path, published: dict[str, float]) -> None:
    row = {"name": "one", "recipe": "demo", "published": published}
    sketch = dot_plot(made(tmp_path, skills={("one", ""): [1.5]}, rows=[row]))
    assert sketch is not None
    (legend,) = sketch.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["measured", *["published"] * bool(published)]
    assert ("published" in sketch.caption) is bool(published)


def test_dots_and_sweep_bear_the_interval_over_runs(tmp_path: Path) -> None:
    figure = {"kind": "sweep", "caption": "Sweep.", "target": "AUC", "x_label": "p"}
    found = made(tmp_path, figure=figure)
    auc = np.array(aucs(found, "three"))
    wanted = 100 * np.clip(stats.t.interval(0.95, 2, auc.mean(), stats.sem(auc)), 0, 1)
    for sketch, axis in ((dot_plot(found), 0), (sweep_figure(found), 1)):
        assert sketch is not None
        bars = [bar for each in sketch.figure.axes[0].containers for bar in each.lines[2]]
        ends = [segment[:, axis] for bar in bars for segment in bar.get_segments()]
        assert any(np.allclose(end, wanted) for end in ends)


def test_a_sweep_has_a_line_for_each_group_over_x(tmp_path: Path) -> None:
    figure = {"kind": "sweep", "caption": "Sweep.", "target": "AUC", "x_label": "p"}
    sketch = sweep_figure(found := made(tmp_path, figure=figure))
    assert sketch is not None
    axes = sketch.figure.axes[0]
    assert words(sketch.figure) == ["few, measured", "few, published", "many"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("p", "AUC (%)")
    hollow = next(line for line in axes.lines if line.get_markerfacecolor() == "white")
    assert (hollow.get_xdata()[0], hollow.get_ydata()[0]) == (0.1, 91.0)
    many = next(line for line in axes.lines if line.get_label() == "many")
    np.testing.assert_allclose(many.get_ydata(), [100 * np.mean(aucs(found, "three"))])
    assert many.get_xdata() == pytest.approx([0.2], abs=0.005)
    assert sketch.notes == ("Not measured: failed.",)


def test_a_row_without_a_place_is_a_level_all_across(tmp_path: Path) -> None:
    rows = [
        {"name": "none", "recipe": "demo"},
        {"name": "box", "recipe": "demo", "x_value": 0.5},
        {"name": "at 1", "recipe": "demo", "x_value": 1},
    ]
    figure = {"kind": "sweep", "caption": "", "target": "AUC", "x_label": "p"}
    skills = {("none", ""): [0.3], ("box", ""): [1.0], ("at 1", ""): [1.5]}
    sketch = sweep_figure(found := made(tmp_path, skills=skills, figure=figure, rows=rows))
    assert sketch is not None
    level = next(line for line in sketch.figure.axes[0].lines if list(line.get_xdata()) == [0, 1])
    np.testing.assert_allclose(level.get_ydata(), 100 * aucs(found, "none")[0])
    # a name that says where its point lies is not written again
    assert [text.get_text() for text in sketch.figure.axes[0].texts] == ["box", "none"]


def test_a_sweep_over_no_column_is_refused(tmp_path: Path) -> None:
    found = made(tmp_path, figure={"kind": "sweep", "caption": "", "target": "AUCC"})
    with pytest.raises(RecipeError, match="did you mean 'AUC'"):
        sweep_figure(found)


@pytest.mark.parametrize("kind", ["roc", "attention-scales", "maps", "crops", "sweep", "preprocessing", None])
def test_without_a_finished_run_nothing_is_drawn(tmp_path: Path, kind: str | None) -> None:
    figure = {"kind": kind, "caption": "", "target": "AUC"} if kind else None
    found = made(tmp_path, skills={("failed", ""): [1.0]}, figure=figure)
    assert render_figure(found, tmp_path / "figures") == []
    assert not (tmp_path / "figures").exists()


def test_a_table_without_a_figure_is_drawn_as_dots(tmp_path: Path) -> None:
    (drawn,) = render_figure(made(tmp_path), tmp_path)
    assert drawn.path == tmp_path / "dots.png"
    assert "Synthetic" not in drawn.path.with_suffix(".svg").read_text(encoding="utf-8")
