"""Tests of equivalence, interaction and joint claims against manual formulas and scipy."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lesionlens.core.errors import LesionLensError
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.reproduction.catalog import load_table_spec
from lesionlens.reproduction.claim_result import ClaimResult
from lesionlens.reproduction.claims import evaluate_claims
from lesionlens.reproduction.measurements import RunValue, run_values

from ..helpers.fake_runs import fake_results, fake_table_spec

A = [0.90, 0.92, 0.91, 0.93, 0.90]
B = [0.895, 0.922, 0.905, 0.931, 0.902]  # almost A
C = [0.80, 0.84, 0.80, 0.83, 0.80]
D = [0.795, 0.81, 0.79, 0.80, 0.802]


def evaluate_on_values(
    tmp_path: Path,
    values: Mapping[str, Sequence[float]] | Mapping[tuple[str, str], Sequence[float]],
    claims: Sequence[Mapping[str, object]],
    **fields: object,
) -> tuple[ClaimResult, ...]:
    """Evaluate claims on the values of rows in the column AUC, or of (row, column)."""
    cells = {(key, "AUC") if isinstance(key, str) else key: numbers for key, numbers in values.items()}
    rows = list(dict.fromkeys(row for row, _ in cells))
    columns = list(dict.fromkeys(column for _, column in cells))
    spec = fake_table_spec(
        columns=[{"name": column, "metric": "auc", "class": "melanoma"} for column in columns],
        rows=[{"name": row, "recipe": "r"} for row in rows],
        claims=[{"quote": "so", **claim} for claim in claims],
        **fields,
    )
    runs = {(row, ""): [0.0] * len(cells[row, columns[0]]) for row in rows}
    results = fake_results(tmp_path, spec, runs, states=dict.fromkeys(rows, "started"))
    measured = {
        cell: [RunValue(run, None, value, value, value) for run, value in enumerate(numbers)]
        for cell, numbers in cells.items()
    }
    return evaluate_claims(results, measured)


def tost_p(differences: Sequence[float], margin: float, center: float = 0) -> float:
    """Return the larger of the two one-sided p-values by the formula of Student's t."""
    values = np.asarray(differences) - center
    error = values.std(ddof=1) / math.sqrt(len(values))
    degrees = len(values) - 1
    return float(
        max(
            stats.t.sf((values.mean() + margin) / error, degrees),
            stats.t.cdf((values.mean() - margin) / error, degrees),
        )
    )


def test_equivalence_is_two_one_sided_t_tests(tmp_path: Path) -> None:
    claim = {"equivalent": ["A", "B"], "column": "AUC", "margin": 1, "margin_reason": "a rounding"}
    (result,) = evaluate_on_values(tmp_path, {"A": A, "B": B}, [claim], unit="percent")
    differences = 100 * (np.array(A) - B)
    interval = stats.ttest_1samp(differences, 0).confidence_interval(0.9)
    assert result.p == pytest.approx(tost_p(differences, 1))
    assert (result.low, result.high) == pytest.approx((interval.low, interval.high))
    assert (result.verdict, result.confidence) == ("holds", 0.9)
    assert result.remark == "margin 1: a rounding"
    assert -1 < result.low < result.high < 1


def test_rows_beyond_the_margin_are_not_equivalent(tmp_path: Path) -> None:
    claims = [
        {"equivalent": ["A", "C"], "column": "AUC", "margin": margin, "margin_reason": "so"}
        for margin in (0.01, 0.11)
    ]
    far, near = evaluate_on_values(tmp_path, {"A": A, "C": C}, claims)
    differences = np.array(A) - C
    assert far.verdict == "opposite, and shown"
    expected = 2 * stats.ttest_1samp(differences, 0.01, alternative="greater").pvalue
    assert far.p_two_sided == pytest.approx(expected)
    assert near.verdict == "same direction, not shown"
    assert near.p == pytest.approx(tost_p(differences, 0.11))


def test_several_rows_are_equivalent_if_each_pair_is(tmp_path: Path) -> None:
    claim = {"equivalent": "all", "column": "AUC", "margin": 0.02, "margin_reason": "so"}
    (result,) = evaluate_on_values(tmp_path, {"A": A, "B": B, "C": C}, [claim])
    pairs = [np.subtract(A, B), np.subtract(A, C), np.subtract(B, C)]
    p = [tost_p(pair, 0.02) for pair in pairs]
    assert result.p == pytest.approx(max(p))
    assert result.difference == pytest.approx(pairs[int(np.argmax(p))].mean())
    outside = [2 * stats.ttest_1samp(pair, 0.02, alternative="greater").pvalue for pair in pairs]
    assert result.p_two_sided == pytest.approx(3 * min(outside))
    assert result.verdict == "opposite, and shown"


def test_interaction_is_a_difference_of_differences(tmp_path: Path) -> None:
    claim = {"larger_gain": ["C", "D"], "smaller_gain": ["A", "B"], "column": "AUC"}
    rows = {"A": A, "B": B, "C": C, "D": D}
    (result,) = evaluate_on_values(tmp_path, rows, [claim])
    gains = np.subtract(C, D) - np.subtract(A, B)
    test = stats.ttest_1samp(gains, 0, alternative="greater")
    interval = stats.ttest_1samp(gains, 0).confidence_interval(0.95)
    assert (result.difference, result.p) == pytest.approx((gains.mean(), test.pvalue))
    assert (result.low, result.high) == pytest.approx((interval.low, interval.high))
    signs = np.array(np.meshgrid(*[[-1, 1]] * 5)).reshape(5, -1)
    assert result.p_sign_flip == pytest.approx(np.mean(gains @ signs >= gains.sum() - 1e-12))
    assert result.statement == "Gain of C over D larger than of A over B"
    assert math.isnan(result.published_difference)


def test_interaction_of_two_columns_and_the_mean_of_all_rows(tmp_path: Path) -> None:
    cells = {("A", "x"): A, ("B", "x"): C, ("A", "y"): B, ("B", "y"): A}
    claims = [
        {"larger_gain": ["A", "B"], "smaller_gain": ["A", "B"], "column": ["x", "y"]},
        {"better": "y", "worse": "x", "row": "all"},
        {"equivalent": ["y", "x"], "row": "B", "difference": 0.1, "margin": 0.03, "margin_reason": "so"},
    ]
    interaction, mean, gap = evaluate_on_values(tmp_path, cells, claims)
    assert interaction.difference == pytest.approx(np.mean(np.subtract(A, C) - np.subtract(B, A)))
    halves = (np.subtract(B, A) + np.subtract(A, C)) / 2
    assert mean.p == pytest.approx(stats.ttest_1samp(halves, 0, alternative="greater").pvalue)
    assert (mean.statement, mean.subject) == ("y above x", "mean of all rows")
    assert gap.p == pytest.approx(tost_p(np.subtract(A, C), 0.03, center=0.1))


def test_a_joint_ordering_needs_every_pair(tmp_path: Path) -> None:
    claim = {"better": "A", "worse": ["B", "C"], "column": "AUC", "joint": True}
    (result,) = evaluate_on_values(tmp_path, {"A": A, "B": B, "C": C}, [claim])
    p = [stats.ttest_rel(A, other, alternative="greater").pvalue for other in (B, C)]
    assert result.p == result.p_holm == pytest.approx(max(p))
    assert result.statement == "A better than each of B, C"


def test_a_joint_ordering_is_reversed_only_by_a_reversed_pair(tmp_path: Path) -> None:
    claim = {"better": "A", "worse": ["B", "C"], "column": "AUC", "joint": True}
    slightly_above_a = [value + step for value, step in zip(A, (0.02, -0.01, 0.02, -0.01, 0), strict=True)]
    (result,) = evaluate_on_values(tmp_path, {"A": A, "B": slightly_above_a, "C": C}, [claim])
    assert stats.ttest_rel(A, C).pvalue < 0.001  # as claimed, and no evidence of the contrary
    assert result.p_two_sided == pytest.approx(min(1, 2 * stats.ttest_rel(A, slightly_above_a).pvalue))
    assert result.verdict == "opposite direction"


def test_equivalence_over_lesions_of_one_run(tmp_path: Path) -> None:
    spec = fake_table_spec(
        claims=[
            {
                "equivalent": ["A", "B"],
                "column": "AUC",
                "margin": margin,
                "margin_reason": "so",
                "quote": "so",
            }
            for margin in (0.5, 0.05)
        ]
    )
    results = fake_results(tmp_path, spec, {("A", ""): [1.0], ("B", ""): [0.9]})
    values = {(row, "AUC"): run_values(results, row, "AUC") for row in "AB"}
    wide, narrow = evaluate_claims(results, values)
    models = [read_predictions(results.cells_for(row)[0].run_dir.predictions("test")) for row in "AB"]
    positive = models[0].label == "melanoma"
    lesions = models[0].lesion_id
    kinds = [np.unique(lesions[positive == kind]) for kind in (False, True)]
    rng, resampled = np.random.default_rng(1), []
    for _ in range(1000):  # independent resamples; AUC by counting pairs
        drawn = [
            np.concatenate([np.flatnonzero(lesions == name) for name in rng.choice(kind, len(kind))])
            for kind in kinds
        ]
        auc = [(model.scores[drawn[1], 1][:, None] > model.scores[drawn[0], 1]).mean() for model in models]
        resampled.append(auc[0] - auc[1])
    assert (wide.low, wide.high) == pytest.approx(np.quantile(resampled, [0.05, 0.95]), abs=0.02)
    assert narrow.p == pytest.approx(
        max(np.mean(np.array(resampled) <= -0.05), np.mean(np.array(resampled) >= 0.05)), abs=0.04
    )
    assert (wide.verdict, narrow.p > 0.05) == ("holds", True)
    assert wide.test == "bootstrap over lesions of one run"


def test_equal_runs_of_one_difference_are_nothing_to_compare(tmp_path: Path) -> None:
    spec = fake_table_spec(
        rows=[{"name": name, "recipe": name} for name in "ABCD"],
        claims=[
            {"larger_gain": ["A", "B"], "smaller_gain": ["C", "D"], "column": "AUC", "quote": "so"},
            {"equivalent": ["A", "C"], "column": "AUC", "margin": 1, "margin_reason": "so", "quote": "so"},
        ],
    )
    skills = {(row, ""): [0.0] * 3 for row in "ABCD"}
    results = fake_results(tmp_path, spec, skills, shared={"D": "C"}, states=dict.fromkeys("ABCD", "started"))
    values = {(row, "AUC"): [RunValue(run, None, 0.5, 0.5, 0.5) for run in range(3)] for row in "ABCD"}
    first, second = evaluate_claims(results, values)
    assert first.verdict == "the same run here"
    assert second.verdict != "the same run here"


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("{equivalent: [A], column: AUC, margin: 1, margin_reason: so, quote: so}", "two or more rows"),
        ("{equivalent: [A, B], column: AUC, margin: 0, margin_reason: so, quote: so}", "greater than 0"),
        ("{equivalent: [A, B], column: AUC, margin: 1, quote: so}", "claims.0.margin_reason is missing"),
        ("{equivalent: [A, B], colum: AUC, margin: 1, margin_reason: so, quote: so}", "unknown key 'colum'"),
        ("{larger_gain: [A, E], smaller_gain: [A, B], column: AUC, quote: so}", "unknown row 'E'"),
        ("{better: A, worse: B, column: AUC, row: A, quote: so}", "set either column"),
        ("{better: A, worse: [B, A], column: AUC, quote: so}", "'A' is in better and in worse"),
        ("{better: [], worse: AUC, row: A, quote: so}", "must each name a row"),
        ("{better: all, worse: A, column: AUC, quote: so}", "all cannot be one of the names"),
        ("{equivalent: [A, A], column: AUC, margin: 1, margin_reason: so, quote: so}", "names 'A' twice"),
        (
            "{larger_gain: [A, A], smaller_gain: [A, B], column: AUC, quote: so}",
            "larger_gain names 'A' twice",
        ),
        ("{larger_gain: [A, B], smaller_gain: [A, B], column: AUC, quote: so}", "gain are the same"),
        ("A is better than B", "valid dictionary"),
        ("{correlates: up, row: A, column: AUC, quote: so}", "'positive' or 'negative'"),
    ],
)
def test_wrong_claims_are_named(tmp_path: Path, claim: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "paper: mine\ntitle: t\ncaption: c\nsource: s\ndataset: ham10000\n"
        "columns: [{name: AUC, metric: auc, class: melanoma}]\n"
        f"rows: [{{name: A, recipe: a}}, {{name: B, recipe: b}}]\nclaims:\n  - {claim}\n"
    )
    with pytest.raises(LesionLensError, match=message):
        load_table_spec(str(path))
