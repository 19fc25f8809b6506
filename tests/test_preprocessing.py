"""An image as a network sees it: where its crops lie and what they hold."""

import numpy as np

from lesionlens.crops.box import Box
from lesionlens.preprocessing import Preprocessing


def test_the_views_are_what_lies_in_the_boxes() -> None:
    image = np.random.default_rng(0).integers(0, 256, (450, 600, 3), dtype=np.uint8)
    seen = Preprocessing(input_size=(224, 224), crops="ordered", crop_count=5)
    boxes = seen.boxes(450, 600)
    assert boxes[3:] == [Box(226, 376, 224, 224), Box(113, 188, 224, 224)]
    parts = [image[top : top + 224, left : left + 224] for top, left, *_ in boxes]
    np.testing.assert_array_equal(seen.views(image), np.stack(parts))  # the paper's size: not resized


def test_random_boxes_are_those_of_the_views_each_time() -> None:
    image = np.random.default_rng(0).integers(0, 256, (45, 60, 3), dtype=np.uint8)
    seen = Preprocessing(input_size=(22, 22), crops="random", crop_count=3, seed=4)
    parts = [image[top : top + 22, left : left + 22] for top, left, *_ in seen.boxes(45, 60)]
    np.testing.assert_array_equal(seen.views(image), np.stack(parts))
    assert len(set(seen.boxes(45, 60))) == 3
