"""Interval of a median over rounds: coverage, and few rounds."""

import numpy as np


def test_interval_of_few_rounds_is_their_range(script):
    interval = script("median_interval").ratio_interval([2.0, 8.0, 3.0], [1.0, 2.0, 1.0])
    assert (interval.median, interval.low, interval.high, interval.rounds) == (3, 2, 4, 3)
    assert str(interval) == "3.00 (2.00–4.00, 3 rounds)"


def test_interval_of_six_rounds_covers_the_median_at_95_percent(script):
    ones, times = [1.0] * 12, 400
    # skewed like delays; the median is 1
    samples = np.random.default_rng(0).lognormal(0.0, 0.3, (times, len(ones)))
    ratio_interval = script("median_interval").ratio_interval
    intervals = [ratio_interval(list(ratios), ones) for ratios in samples]
    covered = sum(interval.low <= 1 <= interval.high for interval in intervals)
    assert 0.94 < covered / times < 0.99  # exactly 0.961
    assert all(
        min(ratios) < interval.low < interval.high < max(ratios)
        for ratios, interval in zip(samples, intervals, strict=True)
    )


def test_six_rounds_are_the_minimum_for_an_interval(script):
    """All rounds are on one side of the median with probability 2 / 2 ** n: above 5 % for five, below for six."""
    ratios = [1.5, 1.1, 1.6, 1.2, 1.4, 1.3]
    for rounds in (5, 6):
        interval = script("median_interval").ratio_interval(ratios[:rounds], [1.0] * rounds)
        assert (interval.low, interval.high, interval.rounds) == (1.1, 1.6, rounds)
        assert ("rounds" in str(interval)) == (rounds == 5)
    assert (
        next(n for n in range(1, 20) if 2 / 2**n < 0.05) == script("median_interval").MIN_ROUNDS_FOR_INTERVAL
    )
