"""Statistics over runs against scipy, the standard library and a published calculation."""

import math
import statistics as stdlib_statistics
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import OVERALL
from lesionlens.evaluation.predictions import Predictions
from lesionlens.runs.run_statistics import (
    build_summary_table,
    markdown_page,
    read_summary,
    summarize,
    summarize_fractions,
    summarize_runs,
    write_summary,
)

TWO = ("none", "melanoma")  # pandas would read the name of the first class as a missing value


def evaluation(seed: int, classes: tuple[str, ...] = TWO):
    """Evaluate 30 random scores."""
    rng = np.random.default_rng(seed)
    ids = [f"i{number}" for number in range(30)]
    scores = rng.dirichlet(np.ones(len(classes)), 30)
    return evaluate(Predictions(ids, ids, [*classes] * (30 // len(classes)), scores, classes), n_resamples=0)


def test_against_scipy_and_statistics() -> None:
    values = np.random.default_rng(0).normal(0.8, 0.05, 10).tolist()
    statistics = summarize(values)
    assert statistics.mean == pytest.approx(stdlib_statistics.fmean(values))
    assert statistics.std == pytest.approx(stdlib_statistics.stdev(values))
    assert statistics.std_population == pytest.approx(stdlib_statistics.pstdev(values))
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (statistics.low, statistics.high) == pytest.approx((expected.low, expected.high))
    assert (statistics.min, statistics.max, statistics.n) == (min(values), max(values), 10)


def test_ten_runs_of_the_arl_paper() -> None:
    """Sum of squares 0.0224 over ten runs (equation 14): sd = sqrt(0.0224 / 9) = 0.04989 percentage points."""
    deviation = math.sqrt(0.0224 / 10)
    statistics = summarize([90.26 + deviation, 90.26 - deviation] * 5)
    assert statistics.mean == pytest.approx(90.26)
    assert statistics.std == pytest.approx(0.049889, abs=1e-6)
    assert statistics.high - statistics.mean == pytest.approx(2.262157 * 0.049889 / math.sqrt(10), abs=1e-6)


def test_equal_runs_have_no_interval() -> None:
    statistics = summarize_fractions([0.1, 0.1, 0.1])  # the computed mean is 0.10000000000000002
    assert (statistics.std, statistics.std_population, statistics.n) == (0, 0, 3)
    assert math.isnan(statistics.low)
    assert math.isnan(statistics.high)


def test_one_run_has_no_std_and_no_run_no_mean() -> None:
    single, none = summarize([0.5, math.nan]), summarize([math.nan])
    assert (single.mean, single.std_population, single.n) == (0.5, 0, 1)
    assert all(math.isnan(value) for value in (single.std, single.low, single.high, none.mean, none.min))
    assert none.n == 0


def test_summary_has_each_metric_and_class(tmp_path: Path) -> None:
    runs = {name: evaluation(seed) for seed, name in enumerate(("run-01", "run-02", "run-03"))}
    write_summary(tmp_path / "s.csv", summarize_runs(runs))
    table = read_summary(tmp_path / "s.csv").set_index(["metric", "class", "aggregate"])
    for key, scope in (
        (("auc", "melanoma", ""), "melanoma"),
        (("sensitivity", "none", ""), "none"),
        (("accuracy", "", "all"), OVERALL),
    ):
        values = [result.value(key[0], scope) for result in runs.values()]
        assert table.loc[key, ["run-01", "run-02", "run-03"]].tolist() == pytest.approx(values)
        assert table.loc[key, "mean"] == pytest.approx(stdlib_statistics.fmean(values))
    assert set(table["n"]) == {3}


def test_page_and_short_table() -> None:
    table = summarize_runs({f"fold-{seed}": evaluation(seed) for seed in range(3)})
    text = markdown_page(table, title="g", split="test", num_runs=5)
    assert "Results on the test split over 3 of 5 runs." in text
    row = table[(table["metric"] == "auc") & (table["class"] == "melanoma")].iloc[0]
    low, high = f"{row['low']:.3f}", f"{row['high']:.3f}"
    assert f"| AUC | melanoma | {row['mean']:.3f} | {row['std']:.3f} |" in text
    assert f"{low} to {high} | 3 |" in text
    assert "not a medical device" in text
    table.loc[row.name, ["low", "high"]] = float("nan")
    assert "to –" not in markdown_page(table, title="g", split="test", num_runs=5)
    console = Console(width=120, record=True, quiet=False, file=None)
    with console.capture() as output:
        console.print(build_summary_table(table))
    assert "melanoma" in output.get()
    assert " none " not in output.get()  # of two classes only the positive one


def test_short_table_of_several_classes_has_averages() -> None:
    table = build_summary_table(summarize_runs({"run-01": evaluation(0, ("a_class", "b_class", "c_class"))}))
    assert not any("class" in str(cell) and str(cell) != "mean of classes" for cell in table.columns[1].cells)
    assert "mean of classes" in map(str, table.columns[1].cells)


def test_intervals_of_fractions() -> None:
    assert math.isnan(summarize_fractions([0.8, 0.9]).low)  # two runs
    assert math.isnan(summarize_fractions([0.0, 0.0, 0.0]).high)  # no spread
    wide = summarize_fractions([0.05, 0.5, 0.95])
    assert (wide.low, wide.high) == (0.0, 1.0)
    assert summarize_fractions([0.8, 0.81, 0.82]) == summarize([0.8, 0.81, 0.82])
