"""The interval of a median of rounds: how often it holds the true one, and what few rounds say."""

import numpy as np


def test_interval_of_few_rounds_is_their_range(script):
    found = script("median_interval").ratio_interval([2.0, 8.0, 3.0], [1.0, 2.0, 1.0])
    assert (found.median, found.low, found.high, found.rounds) == (3, 2, 4, 3)
    assert str(found) == "3.00 (2.00–4.00, 3 rounds)"


def test_interval_of_six_rounds_covers_the_median_at_95_percent(script):
    ones, times = [1.0] * 12, 400
    # skewed, as delays are; the median is 1
    drawn = np.random.default_rng(0).lognormal(0.0, 0.3, (times, len(ones)))
    ratio_interval = script("median_interval").ratio_interval
    found = [ratio_interval(list(each), ones) for each in drawn]
    held = sum(each.low <= 1 <= each.high for each in found)
    assert 0.94 < held / times < 0.99  # exactly 0.961
    assert all(min(each) < one.low < one.high < max(each) for each, one in zip(drawn, found, strict=True))


def test_six_rounds_are_the_minimum_for_an_interval(script):
    """All lie on one side with chance 2 / 2 ** n: above one in twenty for five, below for six."""
    ratios = [1.5, 1.1, 1.6, 1.2, 1.4, 1.3]
    for rounds in (5, 6):
        found = script("median_interval").ratio_interval(ratios[:rounds], [1.0] * rounds)
        assert (found.low, found.high, found.rounds) == (1.1, 1.6, rounds)
        assert ("rounds" in str(found)) == (rounds == 5)
    assert (
        next(n for n in range(1, 20) if 2 / 2**n < 0.05) == script("median_interval").MIN_ROUNDS_FOR_INTERVAL
    )
