"""Stitching of maps of crops to a map of the image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.crops import SUPPORTED_CROP_COUNTS
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.imaging.stitching import resize_boxes, stitch


def test_map_of_the_full_image_is_resized() -> None:
    stitched = stitch(np.array([[[0.0, 1.0]]]), [CropBox(0, 0, 2, 8)], height=2, width=8)
    # cell centers are at 1.5 and 5.5 of the eight pixels
    expected = [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1]
    np.testing.assert_allclose(stitched.values, [expected, expected])
    assert stitched.coverage.all()


def test_overlaps_are_averaged_and_uncovered_pixels_are_zero() -> None:
    maps = np.array([[[2.0]], [[6.0]], [[7.0]]])
    boxes = [CropBox(0, 0, 2, 2), CropBox(1, 1, 2, 2), CropBox(1, 1, 1, 1)]
    stitched = stitch(maps, boxes, height=3, width=4)
    assert stitched.values.tolist() == [[2, 2, 0, 0], [2, 5, 6, 0], [0, 6, 6, 0]]
    assert stitched.coverage.astype(int).tolist() == [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0]]


def test_wrong_number_of_maps_raises() -> None:
    with pytest.raises(ValueError, match="argument 2 is"):
        stitch(np.zeros((2, 1, 1)), [CropBox(0, 0, 1, 1)], height=1, width=1)


def test_ordered_crops_of_a_ramp_are_stitched_back() -> None:
    height, width = 90, 120
    ramp = np.add.outer(np.arange(height), 2.0 * np.arange(width))
    for count in SUPPORTED_CROP_COUNTS:
        if count == 7:  # these crops do not cover the image
            continue
        boxes = Preprocessing(crops="grid", crop_count=count).crop_boxes(height, width)
        crops = np.stack([ramp[b.top : b.top + b.height, b.left : b.left + b.width] for b in boxes])
        stitched = stitch(crops, boxes, height=height, width=width)
        np.testing.assert_allclose(stitched.values[stitched.coverage], ramp[stitched.coverage], rtol=1e-6)
        assert stitched.coverage.mean() > 0.7


@given(
    before=st.tuples(st.integers(1, 999), st.integers(1, 999)),
    scale=st.floats(0.01, 2),
    ends=st.tuples(*[st.floats(0, 1)] * 4),
)
def test_resized_boxes_are_never_empty_and_inside(
    before: tuple[int, int], scale: float, ends: tuple[float, float, float, float]
) -> None:
    after = (max(1, round(before[0] * scale)), max(1, round(before[1] * scale)))
    top, left = int(ends[0] * (before[0] - 1)), int(ends[1] * (before[1] - 1))
    box = CropBox(
        top, left, 1 + int(ends[2] * (before[0] - top - 1)), 1 + int(ends[3] * (before[1] - left - 1))
    )
    (resized,) = resize_boxes([box], old_size=before, new_size=after)
    assert resized.height >= 1
    assert resized.width >= 1
    assert 0 <= resized.top <= resized.top + resized.height <= after[0]
    assert 0 <= resized.left <= resized.left + resized.width <= after[1]
    assert resize_boxes([box], old_size=before, new_size=before) == [box]
