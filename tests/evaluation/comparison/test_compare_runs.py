"""Significance tests over runs against scipy and hand-computed cases."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from lesionlens.core.errors import ComparisonError
from lesionlens.evaluation.comparison.result import Alternative, SignificanceResult, holm
from lesionlens.evaluation.comparison.tests import (
    paired_t,
    sign_flip_permutation_test,
    two_sample_t,
    two_sample_t_from_summaries,
    wilcoxon,
)

ALTERNATIVES: tuple[Alternative, ...] = ("two-sided", "less", "greater")


def runs(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return 0.85 + 0.01 * rng.normal(size=n), 0.86 + 0.012 * rng.normal(size=n)


def test_t_of_the_arl_paper_follows_from_its_summaries() -> None:
    """Zhang et al. 2019, section V.G: rejection at t ≤ -2.552, ten runs each, no value of t given."""
    result = two_sample_t_from_summaries(90.26, 0.0224, 10, 91.66, 0.0064, 10, alternative="less")
    # the pooled variance is 0.0288 / 18 = 0.0016, so t = -1.4 / (0.04 √0.2)
    assert result.statistic == pytest.approx(-1.4 / (0.04 * math.sqrt(0.2)), rel=1e-9)
    assert result.statistic == pytest.approx(-78.26, abs=0.005)
    assert stats.t.ppf(0.01, 18) == pytest.approx(-2.552, abs=5e-4)
    reference = stats.ttest_ind_from_stats(
        90.26, math.sqrt(0.0224 / 9), 10, 91.66, math.sqrt(0.0064 / 9), 10, alternative="less"
    )
    assert result.statistic == pytest.approx(reference.statistic, rel=1e-9)
    assert result.p == pytest.approx(reference.pvalue, rel=1e-6)
    assert result.p < 1e-23


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_t_tests_match_scipy(alternative: Alternative) -> None:
    a, b = runs(9)
    for result, reference in (
        (two_sample_t(a, b[:6], alternative=alternative), stats.ttest_ind(a, b[:6], alternative=alternative)),
        (paired_t(a, b, alternative), stats.ttest_rel(a, b, alternative=alternative)),
    ):
        assert result.statistic == pytest.approx(reference.statistic, rel=1e-7)
        assert result.p == pytest.approx(reference.pvalue, rel=1e-7)


def test_intervals_of_t_tests_match_scipy() -> None:
    a, b = runs(9)
    for result, reference in (
        (two_sample_t(a, b[:6], confidence=0.9), stats.ttest_ind(a, b[:6]).confidence_interval(0.9)),
        (paired_t(a, b, confidence=0.9), stats.ttest_rel(a, b).confidence_interval(0.9)),
    ):
        assert (result.low, result.high) == pytest.approx((reference.low, reference.high), abs=1e-9)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("n", [1, 5, 12])
def test_wilcoxon_matches_scipy(n: int, alternative: Alternative) -> None:
    a, b = runs(n)
    result, reference = wilcoxon(a, b, alternative), stats.wilcoxon(a, b, alternative=alternative)
    assert (result.statistic, result.p) == pytest.approx((reference.statistic, reference.pvalue))
    assert result.difference == np.median(np.round(a - b, 12))


@pytest.mark.parametrize("cents", [[1, 1, 2, 3, 1, -2], [1, 1, 2, 0, 1, -2, 4], [1, 1, 1, 0, 0]])
def test_wilcoxon_with_ties_and_zeros_is_exact(cents: list[int]) -> None:
    """Mid-ranks of the pairs that differ; p is twice the fraction of signs with a rank sum as extreme on one side."""
    result = wilcoxon(0.5 + np.array(cents) / 100, np.full(len(cents), 0.5))
    differ = np.array([cent for cent in cents if cent])
    ranks = stats.rankdata(abs(differ))
    sums = np.array([np.dot(signs, ranks) for signs in itertools.product((0, 1), repeat=len(differ))])
    above = ranks[differ > 0].sum()
    assert result.p == pytest.approx(min(1, 2 * min((sums <= above).mean(), (sums >= above).mean())))
    assert (result.n, result.statistic) == (len(cents), min(above, ranks.sum() - above))


def test_sign_flip_with_ties_and_zeros() -> None:
    """A sum of three signed ones is odd, so all are at least 1; two of eight are as extreme as 3."""
    assert sign_flip_permutation_test([0.01, 0.01, 0, -0.01]).p == 1
    assert sign_flip_permutation_test([0.01, 0.01, 0, 0.01]).p == pytest.approx(4 / 16)


def test_five_pairs_have_the_smallest_possible_p() -> None:
    """The ranks 1 … 5 all on one side are one of 2⁵ cases, as is the other side."""
    a = np.array([0.81, 0.83, 0.85, 0.84, 0.86])
    b = a - [0.01, 0.02, 0.03, 0.04, 0.05]
    assert wilcoxon(a, b).p == pytest.approx(2 / 32)
    assert sign_flip_permutation_test(a - b).p == pytest.approx(2 / 32)
    assert sign_flip_permutation_test(a - b, "greater").p == pytest.approx(1 / 32)
    assert sign_flip_permutation_test(a - b, "less").p == 1


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_sign_flip_matches_scipy(alternative: Alternative) -> None:
    differences = np.subtract(*runs(8))
    reference = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", alternative=alternative, n_resamples=np.inf
    )
    assert sign_flip_permutation_test(differences, alternative).p == pytest.approx(reference.pvalue)


def test_sampled_sign_flips_are_seeded_and_near_the_exact_p() -> None:
    differences = np.subtract(*runs(15, seed=3))
    exact = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    result = sign_flip_permutation_test(differences, seed=1)
    assert result == sign_flip_permutation_test(differences, seed=1)
    # the standard error of a proportion p over 16384 samples
    assert abs(result.p - exact.pvalue) < 4 * math.sqrt(exact.pvalue / 2**14)
    assert result.p != sign_flip_permutation_test(differences, seed=2).p


def test_nothing_is_tested_where_nothing_varies() -> None:
    a = np.array([0.8, 0.85, 0.9])
    for result, reason in (
        (paired_t(a, a), "the difference does not vary"),
        (two_sample_t([0.8] * 3, [0.8] * 4), "the difference does not vary"),
        (wilcoxon(a, a), "all differences are zero"),
        (sign_flip_permutation_test(a - a), "all differences are zero"),
        (sign_flip_permutation_test(np.zeros(20)), "all differences are zero"),
    ):
        assert result.difference == pytest.approx(0, abs=1e-15)
        assert (math.isnan(result.p), result.reason) == (True, reason)
    one = sign_flip_permutation_test([0.1])
    assert (math.isnan(one.p), one.reason) == (True, "only one pair")
    result = paired_t(a + 0.01, a)
    assert result.difference == pytest.approx(0.01)
    assert all(map(math.isnan, (result.statistic, result.p, result.low, result.high)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired_t([0.8], [0.9]), "1 runs are too few to compare: 2 or more"),
        (lambda: paired_t([0.8, 0.9], [0.9, 0.8, 0.7]), "cannot pair 2 and 3 runs"),
        (lambda: two_sample_t([0.8, math.nan], [0.9, 0.8]), "1 of 2 values are not finite"),
        (lambda: two_sample_t_from_summaries(1, -1, 5, 1, 1, 5), "non-negative sums of squares"),
        (lambda: two_sample_t_from_summaries(math.nan, 1, 5, 1, 1, 5), "finite means"),
        (
            lambda: paired_t([0.8, 0.9], [0.7, 0.6], confidence=95),
            "confidence=95: it must be between 0 and 1",
        ),
        (lambda: wilcoxon([], []), "0 runs are too few"),
        (lambda: sign_flip_permutation_test([]), "0 runs are too few"),
        (lambda: sign_flip_permutation_test([0.1], "more"), "unknown alternative 'more'"),  # type: ignore[arg-type]
        (lambda: holm([0.5, 1.5]), "numbers from 0 to 1"),
    ],
)
def test_invalid_samples_raise(call: object, message: str) -> None:
    with pytest.raises(ComparisonError, match=message):
        call()  # type: ignore[operator]


def test_holm_of_a_hand_computed_case() -> None:
    """Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06 and 0.04, which may not fall below 0.06."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.8]).tolist() == [1, 1]
    with_untested = holm([0.01, math.nan, 0.04])
    assert with_untested[[0, 2]] == pytest.approx([0.02, 0.04])
    assert math.isnan(with_untested[1])


def test_holm_matches_the_step_down_rule() -> None:
    """Holm's step-down rule: reject the sorted p while p ≤ α / (m - step)."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = rng.random(6) ** 3
        rejected = np.zeros(6, dtype=bool)
        for step, index in enumerate(np.argsort(p)):
            if p[index] > 0.05 / (6 - step):
                break
            rejected[index] = True
        np.testing.assert_array_equal(holm(p) <= 0.05, rejected)


def test_result_has_test_unit_and_n() -> None:
    result = paired_t(*runs(4))
    assert isinstance(result, SignificanceResult)
    assert (result.unit, result.test, result.n) == ("runs", "paired t", 4)
