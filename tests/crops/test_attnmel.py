"""The crops of AttnMel are those of its two steps, to the byte."""

import numpy as np
import pytest
import torchvision.transforms.v2.functional as tv
from PIL import Image

from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.resize import resized_crop
from lesionlens.imaging.crops import make_crop_strategy


@pytest.mark.parametrize("size", [(450, 600), (767, 1022), (600, 450), (480, 640), (256, 256), (101, 77)])
def test_testing_equals_two_steps_of_torchvision(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    side = int(0.8 * min(size))
    square = tv.resize(tv.center_crop(Image.fromarray(image), [side, side]), [256, 256])
    wanted = np.asarray(tv.center_crop(square, [224, 224]))
    box = make_crop_strategy("attnmel-center", 1)(*size, 0, np.random.default_rng(0))
    found = resized_crop(image, box, (224, 224))
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("size", [(450, 600), (480, 640)])
@pytest.mark.parametrize("place", [(0, 0), (32, 32), (5, 27)])
def test_training_equals_two_steps_too(size: tuple[int, int], place: tuple[int, int]) -> None:
    image = np.random.default_rng(2).integers(0, 256, (*size, 3), dtype=np.uint8)
    side = int(0.8 * min(size))
    square = np.asarray(tv.resize(tv.center_crop(Image.fromarray(image), [side, side]), [256, 256]))
    middle = make_crop_strategy("attnmel-center", 1)(*size, 0, np.random.default_rng(0))
    pixel = side / 256
    box = middle._replace(
        top=middle.top + (place[0] - 16) * pixel, left=middle.left + (place[1] - 16) * pixel
    )
    wanted = square[place[0] : place[0] + 224, place[1] : place[1] + 224]
    np.testing.assert_array_equal(resized_crop(image, box, (224, 224)), wanted)


def test_training_takes_every_place_of_the_square() -> None:
    rng = np.random.default_rng(1)
    drawn = [make_crop_strategy("attnmel-random", 1)(450, 600, 0, rng) for _ in range(2000)]
    assert {box.parent for box in drawn} == {CropBox(45, 120, 360, 360)}
    boxes = np.array([box[:4] for box in drawn])
    assert boxes[:, :2].min(axis=0).tolist() == [45, 120]
    assert (boxes[:, :2] + boxes[:, 2:]).max(axis=0) == pytest.approx([405, 480])
    assert np.unique(boxes[:, 0]).size == 33
