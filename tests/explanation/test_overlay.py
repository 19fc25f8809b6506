import numpy as np
import pytest

from lesionlens.core.errors import ModelError
from lesionlens.explanation.overlay import limit_size, min_max_normalize, overlay, raw_map_image
from lesionlens.explanation.panel import panel, write_png

GRAY = np.full((40, 60, 3), 128, dtype=np.uint8)


def test_constant_map_leaves_the_image_untouched() -> None:
    for value in (0.0, 1 / 49, -3.0):
        flat = np.full((7, 7), value) + np.finfo(np.float32).eps * value * np.eye(7)
        np.testing.assert_array_equal(overlay(GRAY, flat), GRAY)


def test_color_is_where_the_map_is_high() -> None:
    values = np.zeros((4, 6))
    values[0, 0] = 5.0
    rendered = overlay(GRAY, values)
    changed = (rendered != GRAY).any(axis=2)
    assert changed[2, 2]
    assert not changed[20:].any()
    assert not changed[:, 30:].any()


def test_maximum_has_opacity_alpha() -> None:
    values = np.array([[0.0, 1.0]])
    rendered = overlay(GRAY, values, alpha=0.5)
    yellow = np.array([253, 231, 37])  # the upper end of viridis
    np.testing.assert_allclose(rendered[20, -1], 0.5 * 128 + 0.5 * yellow, atol=1)


def test_raw_map_colors() -> None:
    coverage = np.array([[True, True, True, False]])
    rendered = raw_map_image(np.array([[2.0, 3.0, 4.0, 9.0]]), (1, 4), coverage=coverage)
    viridis = [[68, 1, 84], [33, 145, 140], [253, 231, 37], [255, 255, 255]]  # its ends and middle; white
    np.testing.assert_allclose(rendered[0], viridis, atol=1)


def test_scale_and_offset_of_a_map_do_not_matter() -> None:
    values = np.random.default_rng(0).random((7, 7))
    np.testing.assert_array_equal(overlay(GRAY, values), overlay(GRAY, 1e-4 * values + 0.02))


def test_upsampling_is_bilinear() -> None:
    image = np.zeros((1, 40, 3), dtype=np.uint8)
    green = overlay(image, np.array([[0.0, 1.0]]), alpha=1.0, colormap="gray")[0, :, 1]
    # cell centers are at 9.5 and 29.5: between them value v is rendered as sqrt(v) of gray v
    columns = np.arange(10, 30)
    v = (columns - 9.5) / 20
    np.testing.assert_allclose(green[10:30], np.sqrt(v) * v * 255, atol=2)


def test_non_finite_map_raises() -> None:
    with pytest.raises(ModelError, match="not finite"):
        min_max_normalize(np.array([[0.0, np.nan]]))


def test_uncovered_pixels_are_white_and_ignored() -> None:
    values = np.full((40, 60), 7.0)
    values[:, :20] = 0.0  # not covered: otherwise the lowest value
    values[0, 59] = 8.0
    coverage = np.ones((40, 60), dtype=bool)
    coverage[:, :20] = False
    rendered = overlay(GRAY, values, coverage=coverage)
    np.testing.assert_allclose(rendered[:, :20], 128 + 0.6 * (255 - 128), atol=1)
    np.testing.assert_array_equal(rendered[1:, 20:], GRAY[1:, 20:])
    assert (rendered[0, 59] != GRAY[0, 59]).any()


def test_limit_size_keeps_aspect_and_never_enlarges() -> None:
    assert limit_size(GRAY, 30).shape == (20, 30, 3)
    assert limit_size(GRAY, 100) is GRAY


def test_panel_size_and_determinism(tmp_path) -> None:
    small = panel(
        GRAY, {"gradcam": GRAY}, name="$a$.jpg", scores={"nevus": 0.7, "melanoma": 0.3}, label="nevus"
    )
    medium = panel(GRAY, {"gradcam": GRAY, "cam": GRAY}, name="a.jpg", scores={"nevus": 1.0})
    assert medium.shape[1] > 1.3 * small.shape[1]
    large = panel(GRAY, {f"layer{n}": GRAY for n in range(8)}, name="a.jpg", scores={"nevus": 1.0})
    assert large.shape[1] < 2.1 * medium.shape[1]  # nine images in two rows of at most six
    assert large.shape[0] > 1.4 * medium.shape[0]
    first = write_png(tmp_path / "a.png", medium).read_bytes()
    again = panel(GRAY, {"gradcam": GRAY, "cam": GRAY}, name="a.jpg", scores={"nevus": 1.0})
    assert write_png(tmp_path / "b.png", again).read_bytes() == first
