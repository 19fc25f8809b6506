import numpy as np
import pytest

from lesionlens.core.errors import ModelError
from lesionlens.explanation.overlay import limit_size, min_max_normalize, overlay
from lesionlens.explanation.panel import panel, write_png

GREY = np.full((40, 60, 3), 128, dtype=np.uint8)


def test_constant_map_leaves_the_image_untouched() -> None:
    for value in (0.0, 1 / 49, -3.0):
        flat = np.full((7, 7), value) + np.finfo(np.float32).eps * value * np.eye(7)
        np.testing.assert_array_equal(overlay(GREY, flat), GREY)


def test_colour_lies_where_the_map_is_high() -> None:
    values = np.zeros((4, 6))
    values[0, 0] = 5.0
    drawn = overlay(GREY, values)
    changed = (drawn != GREY).any(axis=2)
    assert changed[2, 2]
    assert not changed[20:].any()
    assert not changed[:, 30:].any()


def test_peak_is_the_stated_share_of_colour() -> None:
    values = np.array([[0.0, 1.0]])
    drawn = overlay(GREY, values, alpha=0.5)
    yellow = np.array([253, 231, 37])  # the upper end of viridis
    np.testing.assert_allclose(drawn[20, -1], 0.5 * 128 + 0.5 * yellow, atol=1)


def test_scale_and_offset_of_a_map_do_not_matter() -> None:
    values = np.random.default_rng(0).random((7, 7))
    np.testing.assert_array_equal(overlay(GREY, values), overlay(GREY, 1e-4 * values + 0.02))


def test_upsampling_is_bilinear_between_cell_centres() -> None:
    image = np.zeros((1, 40, 3), dtype=np.uint8)
    green = overlay(image, np.array([[0.0, 1.0]]), alpha=1.0, colormap="gray")[0, :, 1]
    # cell centres lie at 9.5 and 29.5: between them value v is drawn as sqrt(v) of grey v
    place = np.arange(10, 30)
    v = (place - 9.5) / 20
    np.testing.assert_allclose(green[10:30], np.sqrt(v) * v * 255, atol=2)


def test_damaged_map_is_refused() -> None:
    with pytest.raises(ModelError, match="not finite"):
        min_max_normalize(np.array([[0.0, np.nan]]))


def test_what_no_crop_showed_is_veiled_and_does_not_count() -> None:
    values = np.full((40, 60), 7.0)
    values[:, :20] = 0.0  # not seen: else the lowest value
    values[0, 59] = 8.0
    seen = np.ones((40, 60), dtype=bool)
    seen[:, :20] = False
    drawn = overlay(GREY, values, coverage=seen)
    np.testing.assert_allclose(drawn[:, :20], 128 + 0.6 * (255 - 128), atol=1)
    np.testing.assert_array_equal(drawn[1:, 20:], GREY[1:, 20:])
    assert (drawn[0, 59] != GREY[0, 59]).any()


def test_shrunk_keeps_the_aspect_and_never_enlarges() -> None:
    assert limit_size(GREY, 30).shape == (20, 30, 3)
    assert limit_size(GREY, 100) is GREY


def test_panel_has_a_tile_for_each_map_and_is_the_same_each_time(tmp_path) -> None:
    few = panel(
        GREY, {"gradcam": GREY}, name="$a$.jpg", scores={"nevus": 0.7, "melanoma": 0.3}, label="nevus"
    )
    more = panel(GREY, {"gradcam": GREY, "cam": GREY}, name="a.jpg", scores={"nevus": 1.0})
    assert more.shape[1] > 1.3 * few.shape[1]
    most = panel(GREY, {f"layer{n}": GREY for n in range(8)}, name="a.jpg", scores={"nevus": 1.0})
    assert most.shape[1] < 2.1 * more.shape[1]  # nine pictures in two rows of six at most
    assert most.shape[0] > 1.4 * more.shape[0]
    first = write_png(tmp_path / "a.png", more).read_bytes()
    again = panel(GREY, {"gradcam": GREY, "cam": GREY}, name="a.jpg", scores={"nevus": 1.0})
    assert write_png(tmp_path / "b.png", again).read_bytes() == first
