"""Hair removal: hairs are detected and inpainted; lesions and pigment networks are unchanged."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lesionlens.imaging.hair_removal import hair_mask, remove_hair

SIZES = [(225, 300), (450, 600)]


def make_skin(height: int, width: int) -> NDArray[np.uint8]:
    """Generate shaded skin with a dark lesion."""
    y, x = np.mgrid[:height, :width] / height
    shade = 1 - 0.1 * np.sin(3 * x + 2 * y)
    inside = 1 / (1 + np.exp(40 * (np.hypot(y - 0.5, x - 0.66) - 0.2)))
    color = np.array([205, 165, 150]) * (1 - inside[..., None]) + np.array([110, 70, 60]) * inside[..., None]
    return np.rint(color * shade[..., None]).astype(np.uint8)


def add_hairs(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Add five curved hairs, some of which cross; return the image and a mask of the hairs."""
    height, width = image.shape[:2]
    with_hairs, hairs = image.copy(), np.zeros((height, width), np.uint8)
    for number in range(5):
        t = np.linspace(0, 1, 60)
        x = (0.1 + 0.8 * t) * width
        y = (0.1 + 0.18 * number + 0.25 * t * (number % 3 - 1) + 0.05 * np.sin(3 * t)) * height
        points = np.rint(np.stack([x, y], axis=1) * 16).astype(np.int32)
        for canvas, color in ((with_hairs, (40, 30, 25)), (hairs, 255)):
            cv2.polylines(canvas, [points], False, color, max(1, height // 200), cv2.LINE_AA, shift=4)
    return with_hairs, hairs > 127


@pytest.mark.parametrize("size", SIZES)
def test_hairs_are_detected_and_inpainted_at_any_size(size: tuple[int, int]) -> None:
    skin_image = make_skin(*size)
    with_hairs, hairs = add_hairs(skin_image)
    detected = hair_mask(with_hairs) > 0
    assert detected[hairs].mean() > 0.85
    assert detected[~hairs].mean() < 0.08  # pixels next to a hair
    before, after = (
        np.abs(image[hairs].astype(int) - skin_image[hairs]).mean()
        for image in (with_hairs, remove_hair(with_hairs))
    )
    assert before > 50
    assert after < before / 4
    np.testing.assert_array_equal(remove_hair(with_hairs)[~detected], with_hairs[~detected])


@pytest.mark.parametrize("size", SIZES)
def test_lesion_and_pigment_network_are_not_hairs(size: tuple[int, int]) -> None:
    image = make_skin(*size)
    np.testing.assert_array_equal(remove_hair(image), image)
    rng, cell, net = np.random.default_rng(0), size[0] // 18, np.zeros(size, np.uint8)
    for y in range(2, 16):
        for x in range(3, 20):
            center = ((np.array([x, y]) + rng.uniform(-0.35, 0.35, 2)) * cell).astype(int).tolist()
            for canvas, color in ((image, (100, 70, 60)), (net, 255)):
                cv2.circle(canvas, center, cell // 2, color, max(1, size[0] // 200), cv2.LINE_AA)
    assert (hair_mask(image) > 0)[net > 127].mean() < 0.05
