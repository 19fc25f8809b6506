"""Tests of table cells against scipy and manually computed cases."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from lesionlens.reproduction.measurements import RunValue
from lesionlens.reproduction.spec import PublishedValue
from lesionlens.reproduction.table_cells import TableCell, summarize_cell


def cell_of(values: Sequence[RunValue], **options: object) -> TableCell:
    return summarize_cell(
        "row", "column", values, **{"published": None, "num_planned": len(values), **options}
    )  # type: ignore[arg-type]


def runs(*values: float, fold: bool = False) -> list[RunValue]:
    return [
        RunValue(0 if fold else index, index if fold else None, value, value - 0.1, value + 0.2, "test")
        for index, value in enumerate(values)
    ]


def test_interval_of_three_runs_is_students_t() -> None:
    sample = np.random.default_rng(1).normal(0.8, 0.02, 5)
    cell = cell_of(runs(*sample), published=PublishedValue(value=80.0, spread=1.5), scale=100)
    expected = stats.ttest_1samp(100 * sample, 0).confidence_interval(0.95)
    assert (cell.low, cell.high) == pytest.approx((expected.low, expected.high))
    assert (cell.mean, cell.std) == pytest.approx((100 * sample.mean(), 100 * sample.std(ddof=1)))
    assert (cell.num_runs, cell.interval_source, cell.measured_on) == (5, "runs", "test")
    assert cell.difference == pytest.approx(100 * sample.mean() - 80)
    assert cell.published_in_interval is bool(expected.low <= 80 <= expected.high)
    assert cell.within_spread is bool(abs(100 * sample.mean() - 80) <= 1.5)


def test_interval_over_lesions_for_few_or_equal_runs() -> None:
    single, pair, equal = cell_of(runs(0.5)), cell_of(runs(0.5, 0.7)), cell_of(runs(0.1, 0.1, 0.1))
    assert (single.low, single.high, single.interval_source) == pytest.approx((0.4, 0.7, "lesions"))
    assert (pair.low, pair.high, pair.interval_source) == pytest.approx((0.5, 0.8, "lesions"))
    assert (equal.low, equal.high, equal.std, equal.interval_source) == pytest.approx((0, 0.3, 0, "lesions"))
    assert math.isnan(single.std)


def test_folds_are_distinguished_from_runs() -> None:
    assert cell_of(runs(0.5, 0.6, 0.7, fold=True)).interval_source == "folds"


def test_interval_is_clipped_except_for_differences() -> None:
    high = runs(0.9, 0.99, 0.999)
    assert cell_of(high).high == 1
    below = runs(-0.1, 0.0, 0.05)
    assert cell_of(below).low == 0
    assert cell_of(below, bounds=(-math.inf, math.inf)).low < -0.1


def test_undefined_values_are_excluded_with_a_reason() -> None:
    undefined = RunValue(1, None, math.nan, math.nan, math.nan, "test", "no image of this class")
    cell = cell_of([*runs(0.5), undefined], missing_reason="1 of 3 runs failed: smoke", num_planned=3)
    assert (cell.mean, cell.num_runs, cell.num_planned) == (0.5, 1, 3)
    assert cell.notes == ("1 of 3 runs failed: smoke", "no image of this class")
    none = cell_of([undefined], published=PublishedValue(value=0.5))
    assert (none.num_runs, none.interval_source, none.published_in_interval) == (0, "", None)
    assert math.isnan(none.mean)
    assert math.isnan(none.difference)


def test_a_number_without_interval_is_neither_inside_nor_outside() -> None:
    bare = [RunValue(0, None, 0.5, math.nan, math.nan)]
    cell = cell_of(bare, published=PublishedValue(value=0.5))
    assert (cell.published_in_interval, cell.interval_source, cell.within_spread) == (None, "", None)


def test_caveats_on_an_interval_that_is_not_shown() -> None:
    note = (
        "over 2 of 7 classes, without nevus; the same in every resample: the interval is too narrow to trust"
    )
    first, *more = [run._replace(note=note) for run in runs(0.5, 0.6, 0.7)]
    assert cell_of([first]).notes == (note,)
    assert cell_of([first, *more]).notes == ("over 2 of 7 classes, without nevus",)
