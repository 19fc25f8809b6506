import numpy as np
import pytest

from lesionlens.core.errors import ModelError
from lesionlens.explanation.crop_frames import draw_crop_frames, nest_boxes
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.crops import SUPPORTED_CROP_COUNTS
from lesionlens.imaging.preprocessing import Preprocessing

SKIN = np.full((300, 400, 3), (210, 150, 130), dtype=np.uint8)
SEPARATE_BOXES = [CropBox(10, 10, 120, 120), CropBox(10, 200, 120, 120), CropBox(160, 100, 120, 120)]


def colors_of_left_edge(rendered: np.ndarray, box: CropBox) -> np.ndarray:
    return rendered[box.top + box.height // 2, box.left : box.left + 8].astype(int)


def test_higher_weights_have_brighter_and_thicker_frames() -> None:
    rendered = draw_crop_frames(SKIN, SEPARATE_BOXES, np.array([0.2, 0.9, 0.5]))
    sides = [colors_of_left_edge(rendered, box) for box in SEPARATE_BOXES]
    brightest = [side[(side.max(axis=1) > 20) & (np.ptp(side, axis=1) > 45)] for side in sides]
    light, heavy, middle = (colors[:, :2].sum(axis=1).max() for colors in brightest)
    assert light < middle < heavy
    assert len(brightest[1]) > len(brightest[0])
    assert all((side[0] == 16).all() for side in sides)  # the outline is dark


def test_scale_of_weights_affects_only_labels_of_large_images() -> None:
    weights = np.array([0.2, 0.9, 0.5])
    np.testing.assert_array_equal(
        draw_crop_frames(SKIN, SEPARATE_BOXES, weights),
        draw_crop_frames(SKIN, SEPARATE_BOXES, weights / 2 + 0.1),
    )
    large = np.repeat(np.repeat(SKIN, 2, axis=0), 2, axis=1)
    changed = draw_crop_frames(large, SEPARATE_BOXES, weights) != draw_crop_frames(
        large, SEPARATE_BOXES, weights / 2 + 0.1
    )
    rows, columns = np.nonzero(changed.any(axis=2))
    assert len(rows) > 0
    corners = [
        (rows >= b.top) & (rows < b.top + 40) & (columns >= b.left) & (columns < b.left + 70)
        for b in SEPARATE_BOXES
    ]
    assert np.any(corners, axis=0).all()


def test_equal_weights_have_equal_frames() -> None:
    rendered = draw_crop_frames(SKIN, SEPARATE_BOXES, np.full(3, 0.4))
    first, *rest = (colors_of_left_edge(rendered, box) for box in SEPARATE_BOXES)
    for colors in rest:
        np.testing.assert_array_equal(colors, first)


@pytest.mark.parametrize(
    ("count", "max_level"), [*zip(SUPPORTED_CROP_COUNTS, (0, 1, 1, 3, 3, 6), strict=True)]
)
def test_frames_do_not_coincide(count: int, max_level: int) -> None:
    boxes = Preprocessing(crops="grid", crop_count=count).crop_boxes(450, 600)
    levels = nest_boxes(boxes, tolerance=12)
    assert max(levels) == max_level
    sides = np.array([
        (b.top + 5 * n, b.top + b.height - 5 * n, b.left + 5 * n, b.left + b.width - 5 * n)
        for b, n in zip(boxes, levels, strict=True)
    ])  # fmt: skip
    columns_overlap = (sides[:, None, 2] < sides[None, :, 3]) & (sides[None, :, 2] < sides[:, None, 3])
    rows_overlap = (sides[:, None, 0] < sides[None, :, 1]) & (sides[None, :, 0] < sides[:, None, 1])
    pairs = ~np.eye(count, dtype=bool)
    for side, overlap in ((0, columns_overlap), (1, columns_overlap), (2, rows_overlap), (3, rows_overlap)):
        same = np.abs(sides[:, None, side] - sides[None, :, side]) < 5
        assert not (same & overlap & pairs).any()


def test_non_finite_weight_raises() -> None:
    with pytest.raises(ModelError, match="not finite"):
        draw_crop_frames(SKIN, SEPARATE_BOXES, np.array([0.2, np.nan, 0.5]))
