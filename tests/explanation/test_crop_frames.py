import numpy as np
import pytest

from lesionlens.core.errors import ModelError
from lesionlens.explanation.crop_frames import draw_crop_frames, nest_boxes
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.crops import SUPPORTED_CROP_COUNTS
from lesionlens.imaging.preprocessing import Preprocessing

SKIN = np.full((300, 400, 3), (210, 150, 130), dtype=np.uint8)
APART = [CropBox(10, 10, 120, 120), CropBox(10, 200, 120, 120), CropBox(160, 100, 120, 120)]


def colours_at_the_left_side(drawn: np.ndarray, box: CropBox) -> np.ndarray:
    return drawn[box.top + box.height // 2, box.left : box.left + 8].astype(int)


def test_heavier_crops_have_brighter_and_thicker_frames() -> None:
    drawn = draw_crop_frames(SKIN, APART, np.array([0.2, 0.9, 0.5]))
    sides = [colours_at_the_left_side(drawn, box) for box in APART]
    brightest = [side[(side.max(axis=1) > 20) & (np.ptp(side, axis=1) > 45)] for side in sides]
    light, heavy, middle = (each[:, :2].sum(axis=1).max() for each in brightest)
    assert light < middle < heavy
    assert len(brightest[1]) > len(brightest[0])
    assert all((side[0] == 16).all() for side in sides)  # dark outside on any skin


def test_scale_and_offset_of_weights_do_not_matter_in_small_pictures_and_are_printed_in_large_ones() -> None:
    weights = np.array([0.2, 0.9, 0.5])
    np.testing.assert_array_equal(
        draw_crop_frames(SKIN, APART, weights), draw_crop_frames(SKIN, APART, weights / 2 + 0.1)
    )
    large = np.repeat(np.repeat(SKIN, 2, axis=0), 2, axis=1)
    changed = draw_crop_frames(large, APART, weights) != draw_crop_frames(large, APART, weights / 2 + 0.1)
    rows, columns = np.nonzero(changed.any(axis=2))
    assert len(rows) > 0
    corners = [
        (rows >= b.top) & (rows < b.top + 40) & (columns >= b.left) & (columns < b.left + 70) for b in APART
    ]
    assert np.any(corners, axis=0).all()


def test_equal_weights_are_drawn_alike() -> None:
    drawn = draw_crop_frames(SKIN, APART, np.full(3, 0.4))
    first, *others = (colours_at_the_left_side(drawn, box) for box in APART)
    for other in others:
        np.testing.assert_array_equal(other, first)


@pytest.mark.parametrize(("count", "most"), [*zip(SUPPORTED_CROP_COUNTS, (0, 1, 1, 3, 3, 6), strict=True)])
def test_no_two_frames_lie_upon_one_another(count: int, most: int) -> None:
    boxes = Preprocessing(crops="grid", crop_count=count).crop_boxes(450, 600)
    levels = nest_boxes(boxes, tolerance=12)
    assert max(levels) == most
    sides = np.array([
        (b.top + 5 * n, b.top + b.height - 5 * n, b.left + 5 * n, b.left + b.width - 5 * n)
        for b, n in zip(boxes, levels, strict=True)
    ])  # fmt: skip
    beside = (sides[:, None, 2] < sides[None, :, 3]) & (sides[None, :, 2] < sides[:, None, 3])
    level = (sides[:, None, 0] < sides[None, :, 1]) & (sides[None, :, 0] < sides[:, None, 1])
    pairs = ~np.eye(count, dtype=bool)
    for side, together in ((0, beside), (1, beside), (2, level), (3, level)):
        same = np.abs(sides[:, None, side] - sides[None, :, side]) < 5
        assert not (same & together & pairs).any()


def test_weight_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ModelError, match="not finite"):
        draw_crop_frames(SKIN, APART, np.array([0.2, np.nan, 0.5]))
