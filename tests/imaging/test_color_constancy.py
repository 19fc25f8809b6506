"""Color constancy against hand-computed cases and scipy's power means."""

import numpy as np
import pytest
from scipy.stats import pmean

from lesionlens.imaging.color_constancy import gray_world, shades_of_gray


def scene() -> np.ndarray:
    """Generate an image of gray mean and moderate brightness."""
    rng = np.random.default_rng(0)
    gray = rng.integers(10, 140, (40, 50, 1))
    colors = rng.normal(0, 12, (40, 50, 3))
    return np.clip(gray + colors, 0, 255).astype(np.uint8)


def test_gray_world_equalizes_the_channel_means() -> None:
    lit = (scene() * np.array([1.0, 0.8, 0.5])).astype(np.uint8)
    means = gray_world(lit).mean(axis=(0, 1))
    assert np.ptp(lit.mean(axis=(0, 1))) > 30
    np.testing.assert_allclose(means, means.mean(), atol=0.7)


@pytest.mark.parametrize("power", [1, 6])
def test_illuminant_is_the_power_mean(power: float) -> None:
    lit = (scene() * np.array([1.0, 0.8, 0.5])).astype(np.uint8)
    light = np.array([pmean(lit[..., channel].ravel().astype(float), power) for channel in range(3)])
    gains = np.linalg.norm(light) / np.sqrt(3) / light
    np.testing.assert_array_equal(shades_of_gray(lit, power=power), np.clip(np.rint(lit * gains), 0, 255))


def test_result_is_independent_of_the_illuminant() -> None:
    neutral, lit = scene(), np.rint(scene() * np.array([1.0, 0.9, 0.7])).astype(np.uint8)
    actual, expected = (shades_of_gray(image).astype(int) for image in (lit, neutral))
    difference = actual / actual.sum(axis=2, keepdims=True) - expected / expected.sum(axis=2, keepdims=True)
    assert np.abs(difference).mean() < 0.01
    assert np.abs(actual.mean() - lit.mean()) < 0.15 * lit.mean()  # about as bright


def test_gray_and_black_are_unchanged() -> None:
    gray = np.repeat(scene()[..., :1], 3, axis=2)
    np.testing.assert_array_equal(shades_of_gray(gray), gray)
    np.testing.assert_array_equal(gray_world(np.zeros_like(gray)), np.zeros_like(gray))
    red = gray * np.array([1, 0, 0], np.uint8)
    assert shades_of_gray(red)[..., 1:].max() == 0
