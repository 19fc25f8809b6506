"""The light's colour is taken away: against cases worked by hand and scipy's power means."""

import numpy as np
import pytest
from scipy.stats import pmean

from lesionlens.imaging.color_constancy import gray_world, shades_of_gray


def scene() -> np.ndarray:
    """Draw greys and colours whose means are grey, not too bright."""
    rng = np.random.default_rng(0)
    grey = rng.integers(10, 140, (40, 50, 1))
    colours = rng.normal(0, 12, (40, 50, 3))
    return np.clip(grey + colours, 0, 255).astype(np.uint8)


def test_gray_world_makes_the_means_alike() -> None:
    lit = (scene() * np.array([1.0, 0.8, 0.5])).astype(np.uint8)
    means = gray_world(lit).mean(axis=(0, 1))
    assert np.ptp(lit.mean(axis=(0, 1))) > 30
    np.testing.assert_allclose(means, means.mean(), atol=0.7)


@pytest.mark.parametrize("power", [1, 6])
def test_the_light_is_the_power_mean(power: float) -> None:
    lit = (scene() * np.array([1.0, 0.8, 0.5])).astype(np.uint8)
    light = np.array([pmean(lit[..., channel].ravel().astype(float), power) for channel in range(3)])
    gains = np.linalg.norm(light) / np.sqrt(3) / light
    np.testing.assert_array_equal(shades_of_gray(lit, power=power), np.clip(np.rint(lit * gains), 0, 255))


def test_light_of_another_colour_makes_no_difference() -> None:
    plain, lit = scene(), np.rint(scene() * np.array([1.0, 0.9, 0.7])).astype(np.uint8)
    found, wanted = (shades_of_gray(image).astype(int) for image in (lit, plain))
    apart = found / found.sum(axis=2, keepdims=True) - wanted / wanted.sum(axis=2, keepdims=True)
    assert np.abs(apart).mean() < 0.01
    assert np.abs(found.mean() - lit.mean()) < 0.15 * lit.mean()  # about as bright


def test_grey_stays_and_black_stays_black() -> None:
    grey = np.repeat(scene()[..., :1], 3, axis=2)
    np.testing.assert_array_equal(shades_of_gray(grey), grey)
    np.testing.assert_array_equal(gray_world(np.zeros_like(grey)), np.zeros_like(grey))
    red = grey * np.array([1, 0, 0], np.uint8)
    assert shades_of_gray(red)[..., 1:].max() == 0
