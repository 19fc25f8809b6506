"""Channel statistics against NumPy on all pixels at once."""

import numpy as np

from lesionlens.data.datamodule import channel_statistics


def test_of_images_of_different_sizes() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(low, 256, (h, w, 3), dtype=np.uint8) for low, h, w in ((0, 20, 30), (100, 7, 9))]
    pixels = np.concatenate([image.reshape(-1, 3) for image in images]) / 255
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean, pixels.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(std, pixels.std(axis=0), atol=1e-5)


def test_a_channel_without_spread_is_not_divided_by_zero() -> None:
    assert channel_statistics([np.full((4, 4, 3), 51, np.uint8)]) == ((0.2, 0.2, 0.2), (1.0, 1.0, 1.0))
