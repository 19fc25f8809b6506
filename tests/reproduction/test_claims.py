"""Tests of claims on simulated runs against scipy, the package's own tests and manual corrections."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lesionlens.evaluation.comparison.bootstrap import bootstrap_difference
from lesionlens.evaluation.predictions_io import read_predictions, write_predictions
from lesionlens.reproduction.claim_result import ClaimResult
from lesionlens.reproduction.claims import evaluate_claims
from lesionlens.reproduction.lesion_samples import WeightedMetric, sample_weighted_sums
from lesionlens.reproduction.measurements import RunValue, run_values
from lesionlens.reproduction.planner import TableResults
from lesionlens.reproduction.spec import TableSpec

from ..helpers.fake_runs import fake_predictions, fake_results, fake_table_spec

BETTER = [0.90, 0.92, 0.91, 0.93, 0.90]
WORSE = [0.80, 0.81, 0.83, 0.80, 0.82]


def spec_with_claims(*claims: tuple[str, str], better: str = "higher", **fields: object) -> TableSpec:
    return fake_table_spec(
        columns=[{"name": "AUC", "metric": "auc", "class": "melanoma", "better": better}],
        claims=[
            {"better": better_row, "worse": worse_row, "column": "AUC", "quote": "so"}
            for better_row, worse_row in claims
        ],
        **fields,
    )


def evaluate_on_values(
    spec: TableSpec, tmp_path: Path, **numbers: Sequence[float]
) -> tuple[ClaimResult, ...]:
    """Evaluate claims on the given values."""
    cells = {(row, ""): [0.0] * len(values) for row, values in numbers.items()}
    results = fake_results(tmp_path, spec, cells, states=dict.fromkeys(numbers, "started"))
    measured = {
        (row.name, "AUC"): [
            RunValue(run, None, value, value, value) for run, value in enumerate(numbers.get(row.name, ()))
        ]
        for row in spec.rows
    }
    return evaluate_claims(results, measured)


def test_true_claim_holds(tmp_path: Path) -> None:
    (result,) = evaluate_on_values(spec_with_claims(("A", "B"), unit="percent"), tmp_path, A=BETTER, B=WORSE)
    expected = stats.ttest_rel(BETTER, WORSE, alternative="greater")
    interval = stats.ttest_rel(BETTER, WORSE).confidence_interval(0.95)
    assert result.verdict == "holds"
    assert result.difference == pytest.approx(100 * (np.mean(BETTER) - np.mean(WORSE)))
    assert (result.low, result.high) == pytest.approx((100 * interval.low, 100 * interval.high))
    assert (result.p, result.p_holm, result.num_pairs) == pytest.approx((expected.pvalue, expected.pvalue, 5))
    assert result.p_sign_flip == pytest.approx(1 / 32)  # all five signs agree: one of 2^5
    assert result.test == "paired t over 5 runs"


def test_reversed_order_is_tested_two_sided(tmp_path: Path) -> None:
    (result,) = evaluate_on_values(spec_with_claims(("B", "A")), tmp_path, A=BETTER, B=WORSE)
    assert result.verdict == "opposite, and shown"
    assert result.p_two_sided == pytest.approx(stats.ttest_rel(BETTER, WORSE).pvalue)
    assert result.p > 0.99


def test_lower_is_better_reverses_the_sign(tmp_path: Path) -> None:
    rows = [
        {"name": "A", "recipe": "a", "published": {"AUC": 0.9}},
        {"name": "B", "recipe": "b", "published": {"AUC": 0.8}},
    ]
    result, reversed_claim = evaluate_on_values(
        spec_with_claims(("B", "A"), ("A", "B"), better="lower", rows=rows), tmp_path, A=BETTER, B=WORSE
    )
    assert (result.verdict, reversed_claim.verdict) == ("holds", "opposite, and shown")
    assert result.difference < 0
    assert (result.published_supports_claim, reversed_claim.published_supports_claim) == (True, False)


def test_difference_within_its_spread_is_not_significant(tmp_path: Path) -> None:
    claim, reversed_claim = evaluate_on_values(
        spec_with_claims(("A", "B"), ("B", "A")), tmp_path, A=[0.8, 0.9, 0.7], B=[0.75, 0.8, 0.8]
    )
    assert (claim.verdict, reversed_claim.verdict) == ("same direction, not shown", "opposite direction")
    assert math.isnan(claim.p_sign_flip)


def test_holm_correction_is_over_the_claims_of_the_page(tmp_path: Path) -> None:
    rows = [{"name": name, "recipe": name} for name in "ABCD"]
    spec = spec_with_claims(("A", "B"), ("A", "C"), ("A", "D"), rows=rows)
    close = [0.89, 0.92, 0.90, 0.90, 0.90]
    result = evaluate_on_values(spec, tmp_path, A=BETTER, B=WORSE, C=close)
    p = [stats.ttest_rel(BETTER, values, alternative="greater").pvalue for values in (WORSE, close)]
    # two claims could be tested: the smaller p counts twice, the larger once
    assert [claim.p_holm for claim in result[:2]] == pytest.approx([2 * p[0], p[1]])
    assert result[2].verdict == "not run"
    assert math.isnan(result[2].p_holm)


def test_only_runs_of_both_rows_are_paired(tmp_path: Path) -> None:
    (result,) = evaluate_on_values(
        spec_with_claims(("A", "B")), tmp_path, A=[*BETTER, 0.1], B=[math.nan, *WORSE[1:]]
    )
    assert result.num_pairs == 4
    assert result.difference == pytest.approx(np.mean(np.subtract(BETTER[1:], WORSE[1:])))


def test_ties_and_equal_differences(tmp_path: Path) -> None:
    (same,) = evaluate_on_values(spec_with_claims(("A", "B")), tmp_path / "1", A=WORSE, B=WORSE)
    assert same.verdict == "no difference"
    (cancelled,) = evaluate_on_values(
        spec_with_claims(("A", "B")), tmp_path / "3", A=[0.1, 0.15, 0.45], B=[0.45, 0.1, 0.15]
    )
    assert cancelled.difference != 0  # a rounding error
    assert cancelled.verdict == "no difference"
    (shifted,) = evaluate_on_values(spec_with_claims(("A", "B")), tmp_path / "2", A=[0.75] * 3, B=[0.5] * 3)
    assert shifted.verdict == "same direction, not shown"
    assert math.isnan(shifted.p)


def measured(result: TableResults) -> dict[tuple[str, str], Sequence[RunValue]]:
    return {(row.name, "AUC"): run_values(result, row.name, "AUC") for row in result.spec.rows}


def test_lesions_of_a_single_run_are_resampled(tmp_path: Path) -> None:
    result = fake_results(
        tmp_path, spec_with_claims(("A", "B"), ("B", "A")), {("A", ""): [2.5], ("B", ""): [0.2]}
    )
    claim, reversed_claim = evaluate_claims(result, measured(result))
    models = [read_predictions(result.cells_for(row)[0].run_dir.predictions("test")) for row in "AB"]
    expected = bootstrap_difference(*models, "auc", "melanoma")
    assert (claim.difference, claim.low, claim.high) == pytest.approx(expected[:3])
    assert (claim.p, claim.p_two_sided, reversed_claim.p) == pytest.approx(
        (expected.p / 2, expected.p, 1 - expected.p / 2)
    )
    assert (claim.verdict, reversed_claim.verdict) == ("holds", "opposite, and shown")
    assert claim.test == "bootstrap over lesions of one run"


def test_larger_p_of_two_runs_is_used(tmp_path: Path) -> None:
    result = fake_results(
        tmp_path, spec_with_claims(("A", "B")), {("A", ""): [2.5, 0.7], ("B", ""): [0.2, 0.5]}
    )
    (both,) = evaluate_claims(result, measured(result))
    p = [
        bootstrap_difference(
            *(read_predictions(result.cells_for(row)[run].run_dir.predictions("test")) for row in "AB"),
            "auc",
            "melanoma",
        ).p
        for run in (0, 1)
    ]
    assert p[0] < p[1]
    assert both.p_two_sided == pytest.approx(p[1])


def test_lesions_are_resampled_once_for_a_combined_column(tmp_path: Path) -> None:
    columns = [{"name": part, "metric": "auc", "class": "melanoma", "variant": part} for part in ("M", "SK")]
    spec = fake_table_spec(
        columns=[*columns, {"name": "mean", "mean_of": ["M", "SK"]}],
        rows=[{"name": name, "recipe": "m"} for name in "AB"],
        variants={"M": {"title": "melanoma"}, "SK": {"title": "keratosis"}},
        claims=[{"better": "A", "worse": "B", "column": "mean", "quote": "so"}],
    )
    skills = {("A", "M"): [1.5], ("A", "SK"): [1.2], ("B", "M"): [0.5], ("B", "SK"): [0.6]}
    result = fake_results(tmp_path, spec, skills)
    (mean,) = evaluate_claims(result, {(row, "mean"): run_values(result, row, "mean") for row in "AB"})
    scores = {key: read_predictions(result.cells_for(*key)[0].run_dir.predictions("test")) for key in skills}
    rng, resampled = np.random.default_rng(0), []
    lesions = scores["A", "M"].lesion_id
    members = [np.flatnonzero(lesions == lesion) for lesion in np.unique(lesions)]
    truth = scores["A", "M"].label == "melanoma"
    kinds = [[rows for rows in members if truth[rows[0]] == kind] for kind in (False, True)]
    for _ in range(1000):  # independent resamples; AUC by counting pairs
        rows = np.concatenate(
            [kind[index] for kind in kinds for index in rng.integers(len(kind), size=len(kind))]
        )
        positive = truth[rows]
        auc = {
            key: (model.scores[rows[positive], 1][:, None] > model.scores[rows[~positive], 1]).mean()
            for key, model in scores.items()
        }
        resampled.append((auc["A", "M"] + auc["A", "SK"] - auc["B", "M"] - auc["B", "SK"]) / 2)
    assert (mean.low, mean.high) == pytest.approx(np.quantile(resampled, [0.025, 0.975]), abs=0.02)
    assert mean.test == "bootstrap over lesions of one run"
    assert mean.p_two_sided == pytest.approx(2 * mean.p)


def test_a_sum_of_one_metric_is_that_metric() -> None:
    better, worse = fake_predictions(1.0, 1), fake_predictions(0.5, 2)
    key = ("auc", "melanoma")
    terms = [WeightedMetric(1.0, better, key), WeightedMetric(-1.0, worse, key)]
    (sample,) = sample_weighted_sums([terms], n_resamples=200)
    result, expected = sample.compare(0), bootstrap_difference(better, worse, *key, n_resamples=200)
    assert result[:3] == pytest.approx(expected[:3])
    assert result.p == pytest.approx(expected.p)


def test_column_undefined_on_common_images_is_not_tested(tmp_path: Path) -> None:
    results = fake_results(tmp_path, spec_with_claims(("A", "B")), {("A", ""): [1, 1], ("B", ""): [0.5, 0.5]})
    path = results.cells_for("B")[1].run_dir.predictions("test")
    predictions = read_predictions(path)
    write_predictions(path, predictions.select(predictions.label != "melanoma"))
    values = {(row, "AUC"): [RunValue(run, None, 0.7, 0.7, 0.7) for run in range(2)] for row in "AB"}
    values["A", "AUC"] = [run._replace(value=0.8) for run in values["A", "AUC"]]
    (claim,) = evaluate_claims(results, values)
    assert (
        "not tested: no p on the images that the compared runs have in common: no image of this class"
        in claim.note
    )
    assert (claim.verdict, claim.test) == ("same direction, not shown", "")
    assert math.isnan(claim.p)


def test_run_is_not_compared_with_itself(tmp_path: Path) -> None:
    result = fake_results(
        tmp_path, spec_with_claims(("A", "B")), {("A", ""): [1, 1], ("B", ""): [1, 1]}, shared={"B": "A"}
    )
    (same,) = evaluate_claims(result, measured(result))
    assert same.verdict == "the same run here"
    assert math.isnan(same.p)


def test_claims_of_the_same_runs_are_one_test(tmp_path: Path) -> None:
    rows = [{"name": name, "recipe": name} for name in "ABCD"]
    spec = spec_with_claims(("A", "B"), ("C", "B"), ("A", "D"), rows=rows)
    numbers = {"A": BETTER, "B": WORSE, "C": BETTER, "D": [0.88, 0.93, 0.90, 0.92, 0.91]}
    cells = {(row, ""): [0.0] * 5 for row in numbers}
    results = fake_results(tmp_path, spec, cells, states=dict.fromkeys(numbers, "started"), shared={"C": "A"})
    result = evaluate_claims(
        results,
        {
            (row, "AUC"): [RunValue(run, None, value, value, value) for run, value in enumerate(numbers[row])]
            for row in numbers
        },
    )
    p = stats.ttest_rel(BETTER, WORSE, alternative="greater").pvalue
    assert [claim.p_holm for claim in result[:2]] == pytest.approx(
        [2 * p, 2 * p]
    )  # corrected for two tests, not three
