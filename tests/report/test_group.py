"""The HTML report of several runs: every run with a link, pooled folds or means, and what limits them."""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.mean_roc import mean_roc
from lesionlens.evaluation.metric import OVERALL
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.result import read_evaluation
from lesionlens.report.group_plots import group_roc_plot
from lesionlens.runs.group_evaluation import evaluate_group
from lesionlens.runs.multi_run_dir import MultiRunDir
from lesionlens.runs.run_group import open_group
from lesionlens.runs.schema import Recipe
from lesionlens.training.group_report import write_group_evaluation

from ..helpers.fake_groups import FOLDS, REPEATS, predict_fold, write_run_group
from ..helpers.figure_layout import layout_faults
from ..helpers.html_page import Page
from ..helpers.random_predictions import random_predictions


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folds with the reports of the first two, and their common report."""
    folder = tmp_path_factory.mktemp("runs") / "my folds"
    write_run_group(folder, predict_fold, FOLDS, n_resamples=20, caveats=("few images.",))
    for name in ("fold-0", "fold-1"):
        (folder / name / "report.html").write_text("a page")
    _write(folder, folder)
    return folder


def _write(folder: Path, out: Path) -> Page:
    group = open_group(MultiRunDir(folder))
    return Page(write_group_evaluation(out, evaluate_group(group, partial(evaluate, n_resamples=20))))


def test_report_has_every_run_the_pool_and_the_mean(folds: Path) -> None:
    page = Page(folds / "report.html")
    assert page.text.count("Research use only, not a medical device.") == 2
    assert (
        "Cross-validation with 3 folds. 3 of 3 runs are finished and evaluated on the test split" in page.text
    )
    assert "the pooled folds have 150 images of 83 lesions" in page.text
    assert "About the split: few images." in page.text
    assert "AUC compares scores of different models" in page.text
    keys = [("auc", "melanoma"), ("balanced_accuracy", OVERALL), ("accuracy", OVERALL)]
    for run in range(3):
        evaluation = read_evaluation(folds / f"fold-{run}" / "evaluation" / "test.json")
        for estimate in (evaluation.estimate(*key) for key in keys):
            assert f"{estimate.value:.3f} {estimate.low:.3f}–{estimate.high:.3f}" in page.text
    pool = read_evaluation(folds / "evaluation.json").estimate("auc", "melanoma")
    assert f"Pooled folds 150 images, 83 lesions {pool.value:.3f} {pool.low:.3f}–{pool.high:.3f}" in page.text
    mean = evaluate_group(open_group(MultiRunDir(folds)), evaluate).summary
    row = mean.query("metric == 'auc' and `class` == 'melanoma'").iloc[0]
    assert f"Mean over 3 folds {row['mean']:.3f} {row['low']:.3f}–{row['high']:.3f}" in page.text
    assert f"Standard deviation divisor n − 1 {row['std']:.3f}" in page.text


def test_page_loads_nothing_and_links_the_runs(folds: Path, tmp_path: Path) -> None:
    for out in (folds, tmp_path):
        page = Page(folds / "report.html") if out == folds else _write(folds, out)
        assert not {"script", "link", "iframe", "object", "img"} & set(page.tags)
        links = [value for tag, _, value in page.sources if tag == "a" and not value.startswith("#")]
        assert [(out / unquote(link)).resolve() for link in links] == [
            (folds / name / "report.html").resolve() for name in ("fold-0", "fold-1")
        ]
        assert all(value.startswith(("#", "data:image/")) for tag, _, value in page.sources if tag != "a")
        assert " " not in "".join(links)


def test_figures_of_a_page_have_different_ids(folds: Path) -> None:
    ids = re.findall(r'\bid="([^"]+)"', (folds / "report.html").read_text())
    assert len(ids) == len(set(ids))


def test_report_of_repeats_has_no_pool(tmp_path: Path) -> None:
    folder = write_run_group(tmp_path / "rep", predict_fold, REPEATS)
    page = _write(folder, folder)
    assert "3 repeats with different seeds." in page.text
    assert "All runs were evaluated on the same 52 images of 28 lesions" in page.text
    assert "95 % interval over the runs" in page.text
    assert "mean of the runs" in page.text
    assert "pooled" not in page.text.lower()


@pytest.mark.slow
def test_report_of_repeated_folds_has_each_pool(tmp_path: Path) -> None:
    folder = write_run_group(tmp_path / "rcv", predict_fold, {**FOLDS, "num_repeats": 2})
    page = _write(folder, tmp_path / "out")
    assert "Metrics of the pooled folds, run-01" in page.text
    assert "Metrics of the pooled folds, run-02" in page.text
    assert "Mean over 6 runs" in page.text
    assert (tmp_path / "out" / "run-02" / "evaluation.json").is_file()


def test_names_of_classes_are_escaped(tmp_path: Path) -> None:
    script = "<script>alert(1)</script>"
    predict = partial(predict_fold, classes=("other", script))
    page = _write(write_run_group(tmp_path / script.replace("/", ""), predict, FOLDS), tmp_path / "out")
    assert "script" not in page.tags
    assert page.text.count("<script>") > 5


def test_metrics_that_some_folds_lack_have_a_note(tmp_path: Path) -> None:
    def predict(recipe: Recipe) -> Predictions:
        fold = predict_fold(recipe)
        return replace(fold, label=np.full(len(fold), "other")) if recipe.fold == 1 else fold

    folder = write_run_group(tmp_path / "g", predict, FOLDS)
    page = (folder / "summary.csv").read_text()
    assert "fold-1" in page
    _write(folder, folder)
    assert 'title="defined in 2 of 3 runs"' in (folder / "report.html").read_text()


def test_roc_curves_are_those_of_pool_and_mean() -> None:
    evaluations = [evaluate(random_predictions(80, seed=seed), n_resamples=20) for seed in (1, 2, 3)]
    texts = {name: f"AUC of {name}" for name in evaluations[0].classes}
    figure = group_roc_plot(evaluations[0], evaluations[1:], texts)
    *_, pooled = figure.axes[0].lines
    np.testing.assert_array_equal(pooled.get_ydata(), evaluations[0].curves["melanoma"].tpr)
    assert len(figure.axes[0].lines) == 1 + 2 + 1
    assert layout_faults(figure) == []
    *_, mean = group_roc_plot(None, evaluations, texts).axes[0].lines
    expected = mean_roc([evaluation.curves["melanoma"] for evaluation in evaluations])
    np.testing.assert_array_equal(mean.get_ydata(), expected.tpr)
