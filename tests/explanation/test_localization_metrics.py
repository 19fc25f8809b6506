"""Localization metrics: manual cases, scikit-learn's Jaccard score, and undefined cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import jaccard_score

from lesionlens.core.errors import DataError, ModelError
from lesionlens.explanation.localization_metrics import MAP_THRESHOLDS, localization_metrics
from lesionlens.explanation.overlay import min_max_normalize


def digits(*rows: str) -> np.ndarray:
    """Convert rows of digits to an array."""
    return np.array([[int(digit) for digit in row] for row in rows], dtype=float)


MASK = digits("1100", "1100", "0000").astype(bool)


def test_manual_case() -> None:
    # values from 1 to 9: 5 is exactly at the threshold and included
    metrics = localization_metrics(digits("9511", "4171", "1111"), MASK)
    assert metrics.iou == pytest.approx(2 / (4 + 1))  # 9, 5 | and 7
    assert metrics.pointing_game == 1
    # normalized sums: 8 + 4 + 3 inside of 8 + 4 + 3 + 6 (eighths)
    assert metrics.energy_pointing_game == pytest.approx(15 / 21)
    # thresholds above each step: 4/12 | 3/(4+1) | 2/(4+1) | 1/(4+1) | 1/4; at 0 all pixels are included
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
    masks = {t: (min_max_normalize(digits("9511", "4171", "1111")) >= t) for t in steps}
    for t, expected in steps.items():
        assert jaccard_score(MASK.ravel(), masks[t].ravel()) == pytest.approx(expected)


@settings(max_examples=20)
@given(st.data())
def test_iou_and_its_area_equal_sklearn(data: st.DataObject) -> None:
    shape = (data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5)))
    n = shape[0] * shape[1]
    values = np.array(data.draw(st.lists(st.integers(-3, 6), min_size=n, max_size=n)), float).reshape(shape)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n))).reshape(shape)
    coverage = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n))).reshape(shape)
    mask.flat[0] = coverage.flat[0] = True
    metrics = localization_metrics(values, mask, coverage)
    normalized = min_max_normalize(values, coverage)[coverage]
    inside = mask[coverage]
    curve = [((normalized >= t) & inside).sum() / ((normalized >= t) | inside).sum() for t in MAP_THRESHOLDS]
    assert metrics.iou == pytest.approx(jaccard_score(inside, normalized >= 0.5))
    assert metrics.iou_auc == pytest.approx(np.mean((np.array(curve)[1:] + np.array(curve)[:-1]) / 2))
    assert all(0 <= value <= 1 for value in metrics)


def test_map_equal_to_its_mask_is_perfect_at_any_scale() -> None:
    for values in (MASK * 1.0, MASK * 1e-4 + 0.3, MASK * 500.0 - 20):
        metrics = localization_metrics(values, MASK)
        assert metrics == pytest.approx((1, 1, 1, 1), abs=0.005)  # at threshold 0 every pixel is included
    assert localization_metrics(1.0 - MASK, MASK)[0::2] == (0, 0)


def test_constant_map() -> None:
    metrics = localization_metrics(np.full((3, 4), 0.7), MASK)
    assert metrics.iou == 0
    assert metrics.pointing_game == metrics.energy_pointing_game == pytest.approx(4 / 12)
    rounded = np.full((3, 4), 0.7)
    rounded[0, 0] += 1e-9
    assert localization_metrics(rounded, MASK) == metrics


def test_pointing_game_with_several_maxima() -> None:
    assert localization_metrics(digits("9009", "9000", "0000"), MASK).pointing_game == pytest.approx(2 / 3)


def test_uncovered_pixels_are_excluded() -> None:
    values, coverage = digits("9100", "1179", "0000"), np.array([[True, True, True, False]] * 3)
    metrics = localization_metrics(values, MASK, coverage)
    assert metrics == localization_metrics(values[:, :3], MASK[:, :3])
    assert metrics.iou == pytest.approx(1 / 5)


def test_errors() -> None:
    with pytest.raises(DataError, match="no crop covers the mask"):
        localization_metrics(np.eye(3), np.zeros((3, 3), dtype=bool))
    with pytest.raises(DataError, match="no crop covers the mask"):
        localization_metrics(np.eye(3), np.eye(3, dtype=bool), ~np.eye(3, dtype=bool))
    with pytest.raises(DataError, match=r"map \(2, 2\), mask \(3, 3\) and coverage"):
        localization_metrics(np.eye(2), np.eye(3, dtype=bool))
    with pytest.raises(ModelError, match="not finite"):
        localization_metrics(np.array([[np.nan, 1]]), np.array([[True, False]]))
