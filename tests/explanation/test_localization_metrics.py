"""A map against a mask: cases worked by hand, scikit-learn's Jaccard, and what is undefined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import jaccard_score

from lesionlens.core.errors import DataError, ModelError
from lesionlens.explanation.localization_metrics import MAP_THRESHOLDS, localization_metrics
from lesionlens.explanation.overlay import min_max_normalize


def grid(*rows: str) -> np.ndarray:
    """Digits to numbers."""
    return np.array([[int(digit) for digit in row] for row in rows], dtype=float)


MASK = grid("1100", "1100", "0000").astype(bool)


def test_a_case_worked_by_hand() -> None:
    # from 1 to 9: 5 is exactly half way and counts
    found = localization_metrics(grid("9511", "4171", "1111"), MASK)
    assert found.iou == pytest.approx(2 / (4 + 1))  # 9, 5 | and 7
    assert found.pointing_game == 1
    # rescaled sums: 8 + 4 + 3 inside of 8 + 4 + 3 + 6 (eighths)
    assert found.energy_pointing_game == pytest.approx(15 / 21)
    # thresholds above each step: 4/12 | 3/(4+1) | 2/(4+1) | 1/(4+1) | 1/4; at 0 all places are marked
    steps = {
        0.0: 4 / 12,
        0.2: 3 / 5,
        0.375: 3 / 5,
        0.4: 2 / 5,
        0.5: 2 / 5,
        0.6: 1 / 5,
        0.8: 1 / 4,
        1.0: 1 / 4,
    }
    marked = {t: (min_max_normalize(grid("9511", "4171", "1111")) >= t) for t in steps}
    for t, wanted in steps.items():
        assert jaccard_score(MASK.ravel(), marked[t].ravel()) == pytest.approx(wanted)


@settings(max_examples=20)
@given(st.data())
def test_overlap_and_its_area_are_those_of_sklearn(data: st.DataObject) -> None:
    shape = (data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5)))
    n = shape[0] * shape[1]
    values = np.array(data.draw(st.lists(st.integers(-3, 6), min_size=n, max_size=n)), float).reshape(shape)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n))).reshape(shape)
    seen = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n))).reshape(shape)
    mask.flat[0] = seen.flat[0] = True
    found = localization_metrics(values, mask, seen)
    found_at = min_max_normalize(values, seen)[seen]
    inside = mask[seen]
    curve = [((found_at >= t) & inside).sum() / ((found_at >= t) | inside).sum() for t in MAP_THRESHOLDS]
    assert found.iou == pytest.approx(jaccard_score(inside, found_at >= 0.5))
    assert found.iou_auc == pytest.approx(np.mean((np.array(curve)[1:] + np.array(curve)[:-1]) / 2))
    assert all(0 <= each <= 1 for each in found)


def test_a_map_equal_to_its_mask_is_perfect_on_any_scale() -> None:
    for values in (MASK * 1.0, MASK * 1e-4 + 0.3, MASK * 500.0 - 20):
        found = localization_metrics(values, MASK)
        assert found == pytest.approx((1, 1, 1, 1), abs=0.005)  # at threshold 0 every place is marked
    assert localization_metrics(1.0 - MASK, MASK)[0::2] == (0, 0)


def test_a_constant_map_marks_nothing_and_prefers_no_place() -> None:
    found = localization_metrics(np.full((3, 4), 0.7), MASK)
    assert found.iou == 0
    assert found.pointing_game == found.energy_pointing_game == pytest.approx(4 / 12)
    rounded = np.full((3, 4), 0.7)
    rounded[0, 0] += 1e-9
    assert localization_metrics(rounded, MASK) == found


def test_several_largest_places_point_by_their_share() -> None:
    assert localization_metrics(grid("9009", "9000", "0000"), MASK).pointing_game == pytest.approx(2 / 3)


def test_places_that_were_not_seen_do_not_count() -> None:
    values, seen = grid("9100", "1179", "0000"), np.array([[True, True, True, False]] * 3)
    found = localization_metrics(values, MASK, seen)
    assert found == localization_metrics(values[:, :3], MASK[:, :3])
    assert found.iou == pytest.approx(1 / 5)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(DataError, match="no place of the mask was seen"):
        localization_metrics(np.eye(3), np.zeros((3, 3), dtype=bool))
    with pytest.raises(DataError, match="no place of the mask was seen"):
        localization_metrics(np.eye(3), np.eye(3, dtype=bool), ~np.eye(3, dtype=bool))
    with pytest.raises(DataError, match=r"a map of \(2, 2\) does not fit a mask of \(3, 3\)"):
        localization_metrics(np.eye(2), np.eye(3, dtype=bool))
    with pytest.raises(ModelError, match="not finite"):
        localization_metrics(np.array([[np.nan, 1]]), np.array([[True, False]]))
