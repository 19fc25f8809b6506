"""Hairs are found and painted over; lesions and nets of pigment are left alone."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lesionlens.imaging.hair_removal import hair_mask, remove_hair

SIZES = [(225, 300), (450, 600)]


def skin(height: int, width: int) -> NDArray[np.uint8]:
    """Draw skin with a dark lesion, softly shaded."""
    y, x = np.mgrid[:height, :width] / height
    shade = 1 - 0.1 * np.sin(3 * x + 2 * y)
    inside = 1 / (1 + np.exp(40 * (np.hypot(y - 0.5, x - 0.66) - 0.2)))
    colour = np.array([205, 165, 150]) * (1 - inside[..., None]) + np.array([110, 70, 60]) * inside[..., None]
    return np.rint(colour * shade[..., None]).astype(np.uint8)


def hairy(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw five curved hairs over it, some crossing; and where they lie."""
    height, width = image.shape[:2]
    drawn, where = image.copy(), np.zeros((height, width), np.uint8)
    for number in range(5):
        t = np.linspace(0, 1, 60)
        x = (0.1 + 0.8 * t) * width
        y = (0.1 + 0.18 * number + 0.25 * t * (number % 3 - 1) + 0.05 * np.sin(3 * t)) * height
        points = np.rint(np.stack([x, y], axis=1) * 16).astype(np.int32)
        for picture, colour in ((drawn, (40, 30, 25)), (where, 255)):
            cv2.polylines(picture, [points], False, colour, max(1, height // 200), cv2.LINE_AA, shift=4)
    return drawn, where > 127


@pytest.mark.parametrize("size", SIZES)
def test_hairs_are_found_and_painted_over_at_any_size(size: tuple[int, int]) -> None:
    plain = skin(*size)
    drawn, where = hairy(plain)
    found = hair_mask(drawn) > 0
    assert found[where].mean() > 0.85
    assert found[~where].mean() < 0.08  # the rim
    before, after = (
        np.abs(image[where].astype(int) - plain[where]).mean() for image in (drawn, remove_hair(drawn))
    )
    assert before > 50
    assert after < before / 4
    np.testing.assert_array_equal(remove_hair(drawn)[~found], drawn[~found])


@pytest.mark.parametrize("size", SIZES)
def test_a_lesion_and_a_net_of_pigment_are_no_hairs(size: tuple[int, int]) -> None:
    image = skin(*size)
    np.testing.assert_array_equal(remove_hair(image), image)
    rng, cell, net = np.random.default_rng(0), size[0] // 18, np.zeros(size, np.uint8)
    for y in range(2, 16):
        for x in range(3, 20):
            centre = ((np.array([x, y]) + rng.uniform(-0.35, 0.35, 2)) * cell).astype(int).tolist()
            for picture, colour in ((image, (100, 70, 60)), (net, 255)):
                cv2.circle(picture, centre, cell // 2, colour, max(1, size[0] // 200), cv2.LINE_AA)
    assert (hair_mask(image) > 0)[net > 127].mean() < 0.05
