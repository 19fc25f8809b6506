"""A measured number beside the published one, against scipy and cases worked by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from lesionlens.reproduction.measurements import RunValue
from lesionlens.reproduction.spec import PublishedValue
from lesionlens.reproduction.table_cells import TableCell, summarize_cell


def of(found: Sequence[RunValue], **options: object) -> TableCell:
    return summarize_cell("row", "column", found, **{"published": None, "num_planned": len(found), **options})  # type: ignore[arg-type]


def runs(*found: float, fold: bool = False) -> list[RunValue]:
    return [
        RunValue(0 if fold else place, place if fold else None, value, value - 0.1, value + 0.2, "test")
        for place, value in enumerate(found)
    ]


def test_from_three_runs_on_the_interval_is_students() -> None:
    drawn = np.random.default_rng(1).normal(0.8, 0.02, 5)
    found = of(runs(*drawn), published=PublishedValue(value=80.0, spread=1.5), scale=100)
    expected = stats.ttest_1samp(100 * drawn, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.mean, found.std) == pytest.approx((100 * drawn.mean(), 100 * drawn.std(ddof=1)))
    assert (found.num_runs, found.interval_source, found.measured_on) == (5, "runs", "test")
    assert found.difference == pytest.approx(100 * drawn.mean() - 80)
    assert found.published_in_interval is bool(expected.low <= 80 <= expected.high)
    assert found.within_spread is bool(abs(100 * drawn.mean() - 80) <= 1.5)


def test_of_fewer_runs_and_of_runs_all_alike_it_is_that_over_lesions() -> None:
    one, two, alike = of(runs(0.5)), of(runs(0.5, 0.7)), of(runs(0.1, 0.1, 0.1))
    assert (one.low, one.high, one.interval_source) == pytest.approx((0.4, 0.7, "lesions"))
    assert (two.low, two.high, two.interval_source) == pytest.approx((0.5, 0.8, "lesions"))
    assert (alike.low, alike.high, alike.std, alike.interval_source) == pytest.approx((0, 0.3, 0, "lesions"))
    assert math.isnan(one.std)


def test_folds_are_told_from_runs() -> None:
    assert of(runs(0.5, 0.6, 0.7, fold=True)).interval_source == "folds"


def test_an_interval_ends_where_numbers_end_but_not_that_of_a_difference() -> None:
    high = runs(0.9, 0.99, 0.999)
    assert of(high).high == 1
    below = runs(-0.1, 0.0, 0.05)
    assert of(below).low == 0
    assert of(below, bounds=(-math.inf, math.inf)).low < -0.1


def test_what_is_not_defined_does_not_count_and_says_why() -> None:
    undefined = RunValue(1, None, math.nan, math.nan, math.nan, "test", "no image of this class")
    found = of([*runs(0.5), undefined], missing_reason="1 of 3 runs failed: smoke", num_planned=3)
    assert (found.mean, found.num_runs, found.num_planned) == (0.5, 1, 3)
    assert found.notes == ("1 of 3 runs failed: smoke", "no image of this class")
    none = of([undefined], published=PublishedValue(value=0.5))
    assert (none.num_runs, none.interval_source, none.published_in_interval) == (0, "", None)
    assert math.isnan(none.mean)
    assert math.isnan(none.difference)


def test_a_number_without_interval_is_neither_inside_nor_outside() -> None:
    bare = [RunValue(0, None, 0.5, math.nan, math.nan)]
    found = of(bare, published=PublishedValue(value=0.5))
    assert (found.published_in_interval, found.interval_source, found.within_spread) == (None, "", None)


def test_remarks_on_an_interval_that_is_not_shown_are_left_out() -> None:
    note = (
        "over 2 of 7 classes, without nevus; the same in every resample: the interval is too narrow to trust"
    )
    one, *more = [each._replace(note=note) for each in runs(0.5, 0.6, 0.7)]
    assert of([one]).notes == (note,)
    assert of([one, *more]).notes == ("over 2 of 7 classes, without nevus",)
