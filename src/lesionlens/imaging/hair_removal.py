"""Removal of dark hairs by inpainting.

After DullRazor (Lee et al. 1997, Computers in Biology and Medicine 27:533): a closing along some direction detects
thin dark structures; those that are also long and straight are hairs, together with thin dark pixels around
them. Differences from the paper: lengths are fractions of the shorter side of the image. Straightness is tested by an
opening along lines instead of a measurement per structure, which also detects crossing hairs and excludes most of a
pigment network, whose lines are short. Hairs are filled by Telea's inpainting instead of interpolation. The skin under
a hair is unknown, and structures next to a hair may be removed as well.
"""

import math
from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

# Fractions of the shorter side.
MAX_HAIR_WIDTH = 0.035
MIN_HAIR_LENGTH = 0.15  # of the straight segment of a hair
HAIR_NEIGHBORHOOD = 0.02  # distance of thin dark pixels from it that still belong to the hair
HAIR_RIM_WIDTH = 0.004  # soft edge of a hair
DARKNESS_THRESHOLD = 12  # minimum difference from the surrounding skin, in gray levels
NUM_DIRECTIONS = 24


def remove_hair(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Inpaint dark hairs, and long lines of rulers, in an RGB image, (h, w, 3); light hairs stay."""
    mask = hair_mask(image)
    radius = max(1.0, HAIR_RIM_WIDTH * min(image.shape[:2]))
    return np.asarray(cv2.inpaint(image, mask, radius, cv2.INPAINT_TELEA), dtype=np.uint8)


def hair_mask(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a mask of dark hairs including their soft edges: 255 on a hair, otherwise 0, (h, w)."""
    side = min(image.shape[:2])
    gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    black_hat = max_over_kernels(cv2.MORPH_BLACKHAT, gray, line_kernels(MAX_HAIR_WIDTH * side, 4))
    dark = (black_hat > DARKNESS_THRESHOLD).astype(np.uint8) * np.uint8(255)
    straight = max_over_kernels(cv2.MORPH_OPEN, dark, line_kernels(MIN_HAIR_LENGTH * side, NUM_DIRECTIONS))
    hairs = cv2.bitwise_and(dark, _dilate(straight, HAIR_NEIGHBORHOOD * side))
    return _dilate(np.asarray(hairs, np.uint8), HAIR_RIM_WIDTH * side)


def _dilate(mask: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    width = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.dilate(mask, np.ones((width, width), np.uint8)), np.uint8)


def max_over_kernels(
    operation: int, image: NDArray[np.uint8], kernels: Iterable[NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """Apply a morphological operation with each kernel, and return the pixelwise maximum."""
    return np.asarray(
        np.max([cv2.morphologyEx(image, operation, kernel) for kernel in kernels], axis=0), np.uint8
    )


def line_kernels(length: float, num_directions: int) -> list[NDArray[np.uint8]]:
    """Return a kernel with a centered line of the given length in pixels, for each direction."""
    half = max(1, round(length / 2))
    kernels = []
    for index in range(num_directions):
        angle = math.pi * index / num_directions
        right, down = round(half * math.cos(angle)), round(half * math.sin(angle))
        kernel = np.zeros((2 * half + 1, 2 * half + 1), np.uint8)
        cv2.line(kernel, (half - right, half - down), (half + right, half + down), 1)
        kernels.append(kernel)
    return kernels
