"""Dark hairs painted over with the skin beside them.

After DullRazor (Lee et al. 1997, Computers in Biology and Medicine 27:533): what a closing along some direction fills
is dark and thin, what is also long and straight is a hair, with what is dark and thin beside it. Departures: lengths
are shares of the image's shorter side; straightness is asked by an opening along lines in place of measuring each,
so that crossing hairs are found too and most of a net of pigment, whose lines are short, is not; Telea's inpainting in
place of interpolation. What hairs hide cannot be known: structures beside a hair may be painted over too.
"""

import math
from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

# of the shorter side: wider than a hair, straight part of a hair, what belongs to that, its soft rim
MAX_HAIR_WIDTH, MIN_HAIR_LENGTH, HAIR_NEIGHBORHOOD, HAIR_RIM_WIDTH = 0.035, 0.15, 0.02, 0.004
DARKNESS_THRESHOLD = 12  # grey levels than the skin beside it
NUM_DIRECTIONS = 24


def remove_hair(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Paint over dark hairs, (h, w, 3), and a ruler's long line; fair hairs stay."""
    found = hair_mask(image)
    radius = max(1.0, HAIR_RIM_WIDTH * min(image.shape[:2]))
    return np.asarray(cv2.inpaint(image, found, radius, cv2.INPAINT_TELEA), dtype=np.uint8)


def hair_mask(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Find dark hairs: 255 where there is one, with its rim, else 0, (h, w)."""
    side = min(image.shape[:2])
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    hollow = _max_over_kernels(cv2.MORPH_BLACKHAT, grey, _line_kernels(MAX_HAIR_WIDTH * side, 4))
    dark = (hollow > DARKNESS_THRESHOLD).astype(np.uint8) * np.uint8(255)
    straight = _max_over_kernels(cv2.MORPH_OPEN, dark, _line_kernels(MIN_HAIR_LENGTH * side, NUM_DIRECTIONS))
    bends = cv2.bitwise_and(dark, _dilate(straight, HAIR_NEIGHBORHOOD * side))
    return _dilate(np.asarray(bends, np.uint8), HAIR_RIM_WIDTH * side)


def _dilate(mask: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    width = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.dilate(mask, np.ones((width, width), np.uint8)), np.uint8)


def _max_over_kernels(
    operation: int, image: NDArray[np.uint8], kernels: Iterable[NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """Give the greatest of what the elements leave, pixel by pixel."""
    return np.asarray(
        np.max([cv2.morphologyEx(image, operation, element) for element in kernels], axis=0), np.uint8
    )


def _line_kernels(length: float, num_directions: int) -> list[NDArray[np.uint8]]:
    """Draw lines of so many pixels through the middle of a square, one for each direction."""
    half = max(1, round(length / 2))
    elements = []
    for number in range(num_directions):
        angle = math.pi * number / num_directions
        right, down = round(half * math.cos(angle)), round(half * math.sin(angle))
        element = np.zeros((2 * half + 1, 2 * half + 1), np.uint8)
        cv2.line(element, (half - right, half - down), (half + right, half + down), 1)
        elements.append(element)
    return elements
