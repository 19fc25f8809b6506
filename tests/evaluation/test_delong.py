"""DeLong's test against its definition and MLstatkit, and its rate of false positives."""

import math

import numpy as np
import pytest
from MLstatkit import Delong_test
from sklearn.metrics import roc_auc_score

from lesionlens.core.errors import ComparisonError
from lesionlens.evaluation.comparison import delong
from lesionlens.evaluation.comparison.delong import auc_variance

# The example of DeLong et al. 1988 as the SAS/STAT documentation prints it: patients with ovarian cancer, the 43 with
# all three tests: albumin, total protein, Krebs-Goplerud score (the lower the better), and whether surgery helped.
PRINTED = """
    3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
    3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
    2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
    3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
    3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
    3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""
OVARIAN = np.fromstring(PRINTED, sep=" ").reshape(-1, 4)
HELPED = OVARIAN[:, 3] == 1
ALBUMIN, PROTEIN, SCORE = OVARIAN[:, 0], OVARIAN[:, 1], 10 - OVARIAN[:, 2]


def by_definition(labels: np.ndarray, *scores: np.ndarray) -> np.ndarray:
    """Covariance of the areas from every pair of a positive and a negative (DeLong et al. 1988, equations 4 to 7)."""
    won = np.stack(
        [
            (values[labels][:, None] > values[~labels]) + 0.5 * (values[labels][:, None] == values[~labels])
            for values in scores
        ]
    )
    return np.cov(won.mean(axis=2)) / labels.sum() + np.cov(won.mean(axis=1)) / (~labels).sum()


def simulate(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simulate two models with a common and an independent error; scores have ties."""
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.3
    common = labels + rng.normal(size=n)
    a, b = (np.round(common + 0.7 * rng.normal(size=n), 1) for _ in range(2))
    return labels, a, b


@pytest.mark.parametrize("score", [ALBUMIN, PROTEIN])
def test_delong_of_the_papers_example(score: np.ndarray) -> None:
    assert len(HELPED) == 43
    covariance = by_definition(HELPED, score, SCORE)
    result = delong(HELPED, score, SCORE)
    error = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    difference = roc_auc_score(HELPED, score) - roc_auc_score(HELPED, SCORE)
    assert result.difference == pytest.approx(difference, abs=1e-12)
    assert result.statistic == pytest.approx(difference / error, rel=1e-9)
    half = 1.959963984540054 * error
    assert (result.low, result.high) == pytest.approx((difference - half, difference + half), abs=1e-9)
    area = auc_variance(HELPED, score)
    assert area.auc == pytest.approx(roc_auc_score(HELPED, score), abs=1e-12)
    assert area.variance == pytest.approx(covariance[0, 0], rel=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_delong_matches_mlstatkit(seed: int) -> None:
    labels, a, b = simulate(150, seed)
    z, p = Delong_test(labels.astype(int), a, b, return_ci=False, return_auc=False)[:2]
    result = delong(labels, a, b)
    assert result.statistic == pytest.approx(-z, rel=1e-9)  # MLstatkit subtracts the first from the second
    assert result.p == pytest.approx(p, rel=1e-7)
    assert delong(labels, a, b, alternative="greater").p + delong(
        labels, a, b, alternative="less"
    ).p == pytest.approx(1)


def test_delong_of_a_hand_computed_case() -> None:
    """Positives 3, 1; negatives 2, 0: the first model wins 3 of 4 pairs, the second, 3, 2 against 1, 0, all four.

    Fractions of pairs won: by the positives 1 and 1/2, by the negatives 1/2 and 1. Each varies by 1/8, so the variance
    is 1/8 / 2 + 1/8 / 2 = 1/8, and as the second has none, that of the difference is the same: z = -0.25 / √(1/8).
    """
    labels = np.array([1, 1, 0, 0])
    result = delong(labels, np.array([3, 1, 2, 0]), np.array([3, 2, 1, 0]))
    assert auc_variance(labels, np.array([3, 1, 2, 0])) == pytest.approx((0.75, 0.125))
    assert (result.difference, result.statistic) == pytest.approx((-0.25, -0.25 / math.sqrt(0.125)))


def test_no_variance_has_no_p_value() -> None:
    labels = np.array([1, 1, 0, 0])
    perfect, blind = np.array([4, 3, 2, 1]), np.zeros(4)
    for other, difference in ((perfect * 2, 0), (blind, 0.5)):
        result = delong(labels, perfect, other)
        assert (result.difference, result.reason) == (difference, "the difference does not vary")
        assert all(map(math.isnan, (result.low, result.high, result.p)))


def test_rounding_errors_are_not_variance() -> None:
    """Each positive wins one more negative in the first model: thirds, whose rounding errors are not variance."""
    labels = np.array([1, 0, 1, 0, 1, 0])
    result = delong(labels, np.array([2, 1, 4, 3, 6, 5]), np.arange(1, 7))
    assert result.difference == pytest.approx(1 / 3)
    assert all(map(math.isnan, (result.low, result.high, result.statistic, result.p)))


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 0, 0], [0.1, 0.2, 0.3], "1 positive and 2 negative images"),
        ([1, 1, 0, 0], [0.1, 0.2, 0.3], "one label and one finite score per"),
        ([1, 1, 0, 0], [0.1, 0.2, 0.3, math.nan], "one finite score"),
        ([1, 1, 0, math.nan], [0.1, 0.2, 0.3, 0.4], r"true and false.*such as \[1.0, 1.0, 0.0\]"),
        (["1", "1", "0", "0"], [0.1, 0.2, 0.3, 0.4], "true and false"),
    ],
)
def test_invalid_arrays_raise(labels: list, scores: list[float], message: str) -> None:
    with pytest.raises(ComparisonError, match=message):
        delong(np.array(labels), np.array(scores), np.array(scores))


@pytest.mark.slow
def test_false_positive_rate_is_nominal() -> None:
    result = np.array([delong(*simulate(200, seed)).p for seed in range(2000)])
    # 100 of 2000 are expected, with a standard deviation of 9.7
    assert 70 <= (result < 0.05).sum() <= 135
