"""DeLong's test gives what its definition gives in full, what MLstatkit gives, and the right rate of false alarms."""

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
            (each[labels][:, None] > each[~labels]) + 0.5 * (each[labels][:, None] == each[~labels])
            for each in scores
        ]
    )
    return np.cov(won.mean(axis=2)) / labels.sum() + np.cov(won.mean(axis=1)) / (~labels).sum()


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two models that see the same image and make errors of their own; scores with ties."""
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.3
    seen = labels + rng.normal(size=n)
    a, b = (np.round(seen + 0.7 * rng.normal(size=n), 1) for _ in range(2))
    return labels, a, b


@pytest.mark.parametrize("other", [ALBUMIN, PROTEIN])
def test_the_paper_s_own_patients(other: np.ndarray) -> None:
    assert len(HELPED) == 43
    covariance = by_definition(HELPED, other, SCORE)
    found = delong(HELPED, other, SCORE)
    error = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    difference = roc_auc_score(HELPED, other) - roc_auc_score(HELPED, SCORE)
    assert found.difference == pytest.approx(difference, abs=1e-12)
    assert found.statistic == pytest.approx(difference / error, rel=1e-9)
    half = 1.959963984540054 * error
    assert (found.low, found.high) == pytest.approx((difference - half, difference + half), abs=1e-9)
    area = auc_variance(HELPED, other)
    assert area.auc == pytest.approx(roc_auc_score(HELPED, other), abs=1e-12)
    assert area.variance == pytest.approx(covariance[0, 0], rel=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_z_and_p_are_those_of_mlstatkit(seed: int) -> None:
    labels, a, b = drawn(150, seed)
    z, p = Delong_test(labels.astype(int), a, b, return_ci=False, return_auc=False)[:2]
    found = delong(labels, a, b)
    assert found.statistic == pytest.approx(-z, rel=1e-9)  # MLstatkit takes the first from the second
    assert found.p == pytest.approx(p, rel=1e-7)
    assert delong(labels, a, b, alternative="greater").p + delong(
        labels, a, b, alternative="less"
    ).p == pytest.approx(1)


def test_a_case_by_hand() -> None:
    """Positives 3, 1; negatives 2, 0: the first model wins 3 of 4 pairs, the second, 3, 2 against 1, 0, all four.

    Shares won: of the positives 1 and 1/2, of the negatives 1/2 and 1. Each varies by 1/8, so the variance is
    1/8 / 2 + 1/8 / 2 = 1/8, and as the second has none, that of the difference is the same: z = -0.25 / √(1/8).
    """
    labels = np.array([1, 1, 0, 0])
    found = delong(labels, np.array([3, 1, 2, 0]), np.array([3, 2, 1, 0]))
    assert auc_variance(labels, np.array([3, 1, 2, 0])) == pytest.approx((0.75, 0.125))
    assert (found.difference, found.statistic) == pytest.approx((-0.25, -0.25 / math.sqrt(0.125)))


def test_what_does_not_vary_is_not_judged() -> None:
    labels = np.array([1, 1, 0, 0])
    perfect, blind = np.array([4, 3, 2, 1]), np.zeros(4)
    assert delong(labels, perfect, perfect * 2).p == 1
    found = delong(labels, perfect, blind)
    assert found.difference == 0.5
    assert math.isnan(found.p)


def test_a_difference_that_every_image_shares_alike_is_not_judged() -> None:
    """Each positive of the first wins one negative more than in the second: thirds, whose rounding is no variance."""
    labels = np.array([1, 0, 1, 0, 1, 0])
    found = delong(labels, np.array([2, 1, 4, 3, 6, 5]), np.arange(1, 7))
    assert found.difference == pytest.approx(1 / 3)
    assert all(map(math.isnan, (found.low, found.high, found.statistic, found.p)))


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 0, 0], [0.1, 0.2, 0.3], "1 images of the class and 2 others"),
        ([1, 1, 0, 0], [0.1, 0.2, 0.3], "one label and one finite score an image"),
        ([1, 1, 0, 0], [0.1, 0.2, 0.3, math.nan], "one finite score"),
        ([1, 1, 0, math.nan], [0.1, 0.2, 0.3, 0.4], r"true or false.*such as \[1.0, 1.0, 0.0\]"),
        (["1", "1", "0", "0"], [0.1, 0.2, 0.3, 0.4], "true or false"),
    ],
)
def test_what_cannot_be_compared_is_refused(labels: list, scores: list[float], message: str) -> None:
    with pytest.raises(ComparisonError, match=message):
        delong(np.array(labels), np.array(scores), np.array(scores))


@pytest.mark.slow
def test_models_that_are_equally_good_are_told_apart_in_one_case_of_twenty() -> None:
    found = np.array([delong(*drawn(200, seed)).p for seed in range(2000)])
    # 100 of 2000 are expected, with a standard deviation of 9.7
    assert 70 <= (found < 0.05).sum() <= 135
