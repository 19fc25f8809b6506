"""Loading with preprocessing: the image cache and prediction get the same image."""

from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
from PIL import Image

from lesionlens.data.image_cache import open_image_cache
from lesionlens.imaging.color_constancy import gray_world, shades_of_gray
from lesionlens.imaging.decode import read_rgb
from lesionlens.imaging.hair_removal import remove_hair
from lesionlens.imaging.load import ColorConstancy, load_image
from lesionlens.imaging.preprocessing import Preprocessing


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write an image of reddish skin with hairs."""
    image = np.random.default_rng(0).normal((220, 150, 130), 4, (120, 160, 3)).clip(0, 255).astype(np.uint8)
    for number in range(4):
        cv2.line(image, (10, 10 + 25 * number), (150, 40 + 15 * number), (50, 40, 30), 1)
    Image.fromarray(image).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_hair_removal_precedes_color_constancy(file: Path) -> None:
    small = read_rgb(file, max_short_side=90)
    bare = remove_hair(small)
    assert (bare != small).any()
    np.testing.assert_array_equal(load_image(file, max_short_side=90), small)
    np.testing.assert_array_equal(
        load_image(file, max_short_side=90, color_constancy="gray-world"), gray_world(small)
    )
    actual = load_image(file, max_short_side=90, color_constancy="shades-of-gray", hair_removal=True)
    np.testing.assert_array_equal(actual, shades_of_gray(bare))


@pytest.mark.parametrize("color_constancy", get_args(ColorConstancy))
@pytest.mark.parametrize("hair_removal", [False, True])
def test_image_cache_equals_prediction_input(
    file: Path, tmp_path: Path, color_constancy: Any, hair_removal: bool
) -> None:
    options: Any = {"max_short_side": 90, "color_constancy": color_constancy, "hair_removal": hair_removal}
    open_image_cache([file], max_short_side=90, option="memmap", cache_dir=tmp_path / "store")
    store = open_image_cache([file], option="memmap", cache_dir=tmp_path / "store", **options)
    np.testing.assert_array_equal(store[0], Preprocessing(**options).load_image(file))
    is_default = color_constancy == "none" and not hair_removal
    assert len(list((tmp_path / "store").glob("*.memmap"))) == (1 if is_default else 2)
