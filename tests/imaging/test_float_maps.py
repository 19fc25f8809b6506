from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionlens.core.errors import DataError
from lesionlens.imaging.float_maps import read_fixations, read_float_map

RAMP = np.linspace(0, 1, 24).reshape(4, 6)


def test_gray_png_and_numpy_hold_the_same_map(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", RAMP.astype(np.float32))
    Image.fromarray((RAMP * 65535).astype(np.uint16)).save(tmp_path / "a.png")
    Image.fromarray(np.repeat((RAMP * 255).astype(np.uint8)[..., None], 3, axis=2)).save(tmp_path / "rgb.png")
    np.testing.assert_allclose(read_float_map(tmp_path / "a.npy", (4, 6)), RAMP, atol=1e-6)
    np.testing.assert_allclose(read_float_map(tmp_path / "a.png", (4, 6)), RAMP, atol=2e-5)
    np.testing.assert_allclose(read_float_map(tmp_path / "rgb.png", (4, 6)), RAMP, atol=4e-3)
    np.save(tmp_path / "large.npy", RAMP * 1e308)  # its sum overflows
    np.testing.assert_allclose(read_float_map(tmp_path / "large.npy", (4, 6)), RAMP, atol=1e-6)
    # another size: proportional to the bilinear interpolation of the map
    larger = read_float_map(tmp_path / "a.npy", (8, 12))
    np.testing.assert_allclose(larger.reshape(4, 2, 6, 2).mean(axis=(1, 3)), RAMP, atol=0.05)


def test_no_fixation_is_lost_in_a_smaller_image(tmp_path: Path) -> None:
    points = np.zeros((400, 600), dtype=np.uint8)
    points[399, 599] = points[0, 0] = points[201, 303] = 255
    Image.fromarray(points).save(tmp_path / "f.png")
    fixations = read_fixations(tmp_path / "f.png", (40, 60))
    assert np.argwhere(fixations).tolist() == [[0, 0], [20, 30], [39, 59]]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[{"a": 1}, 2]], dtype=object), "Python objects"),
        (np.ones((4, 6, 3)), r"must be an array \(height, width\) of numbers; it is \(4, 6, 3\)"),
        (np.full((4, 6), 0.5), "all values of the map .* are 0.5"),
        (RAMP - 0.5, "negative or not finite"),
        (np.where(RAMP > 0.5, np.nan, RAMP), "negative or not finite"),
        (RAMP.T, "aspect ratio"),
    ],
)
def test_unusable_maps_raise(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=message):
        read_float_map(tmp_path / "a.npy", (4, 6))
