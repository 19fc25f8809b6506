"""Masks as worse annotators would have drawn them: a mask in, a mask out.

Yan 2020, section 5.1, asks what becomes of an attention prior between "precise delineation, approximating polygon, or a
bounding box". Masks are 0 outside and 255 inside, uint8 (h, w). Distances are in equivalent diameters: that of the disc
whose area is the mask's. A mask without a pixel stays so, and no other loses its last one.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionlens.data.mask_files import Mask

Quality = Literal["exact", "eroded", "dilated", "polygon", "box", "circle", "shifted", "noise", "elsewhere"]
GRAIN = 0.1  # standard deviation of the filter that smooths the noise, in equivalent diameters


class Amount(NamedTuple):
    """What ``amount`` may be for a quality, and is where none is given."""

    usual: float
    lowest: float
    highest: float
    means: str


_SHARE = "in diameters of the disc of a mask's area"
AMOUNTS: Mapping[Quality, Amount] = {
    "eroded": Amount(0.1, 0, 2, _SHARE),
    "dilated": Amount(0.1, 0, 2, _SHARE),
    "polygon": Amount(6, 3, 1000, "the number of corners"),
    "shifted": Amount(0.5, 0, 2, _SHARE),
    "noise": Amount(0.1, 0, 2, _SHARE),
}
"""Of the qualities that have a strength."""


def eroded(mask: Mask, amount: float) -> Mask:
    """Take away all within ``amount`` equivalent diameters of the outline; the innermost pixels stay.

    The image's border is no outline: a lesion that it cuts goes on beyond.
    """
    return _above_zero(_depth(mask) - amount * diameter(mask), mask)


def dilated(mask: Mask, amount: float) -> Mask:
    """Add all within ``amount`` equivalent diameters of the mask."""
    return _binary(mask.any() & (_depth(255 - mask) <= amount * diameter(mask)))


def polygon(mask: Mask, corners: int) -> Mask:
    """Join ``corners`` points, at equal distances along the outer outline of each part of a mask; holes are filled."""
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn = np.zeros_like(mask)
    for outline in found:
        closed = np.concatenate([outline[:, 0], outline[:1, 0]])
        along = np.concatenate([[0], np.hypot(*np.diff(closed, axis=0).T).cumsum()])
        places = np.linspace(0, along[-1], corners, endpoint=False)
        points = np.column_stack([np.interp(places, along, axis) for axis in closed.T])
        cv2.fillPoly(drawn, [np.rint(points).astype(np.int32)], 255)
    return drawn


def box(mask: Mask) -> Mask:
    """Fill the smallest upright rectangle around a mask."""
    drawn = np.zeros_like(mask)
    left, top, width, height = cv2.boundingRect(mask)
    drawn[top : top + height, left : left + width] = 255
    return drawn


def circle(mask: Mask) -> Mask:
    """Fill the circle of a mask's area about its centre of mass, as far as it lies in the image."""
    if not mask.any():
        return mask.copy()
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    centre = _centre(mask)
    apart = np.hypot(y - centre[0], x - centre[1])
    return _binary(apart <= max(diameter(mask) / 2, apart.min()))


def shifted(mask: Mask, amount: float, rng: np.random.Generator) -> Mask:
    """Move a mask by ``amount`` equivalent diameters in a drawn direction; its centre of mass stays in the image."""
    angle = rng.uniform(0, 2 * np.pi)
    if not mask.any():
        return mask.copy()
    centre, size = _centre(mask), np.array(mask.shape)
    moved = centre + amount * diameter(mask) * np.array([np.sin(angle), np.cos(angle)])
    down, right = np.rint(moved.clip(0, size - 1) - centre)
    warp = np.array([[1.0, 0.0, right], [0.0, 1.0, down]])
    found = cv2.warpAffine(mask, warp, (mask.shape[1], mask.shape[0]), flags=cv2.INTER_NEAREST)
    return np.asarray(found, dtype=np.uint8) if found.any() else mask.copy()


def noise(mask: Mask, amount: float, rng: np.random.Generator) -> Mask:
    """Move the outline in and out by smooth Gaussian noise whose standard deviation is ``amount``.

    The noise changes over ``GRAIN`` equivalent diameters.
    """
    white = rng.standard_normal(mask.shape, dtype=np.float32)
    if not mask.any():
        return mask.copy()
    across = diameter(mask)
    sigma = max(GRAIN * across, 1.0)
    smooth = cv2.GaussianBlur(white, (0, 0), sigma) * (2 * sigma * np.sqrt(np.pi))  # its deviation is 1 again
    # half a pixel each: the outline runs between the pixels inside and outside
    level = np.where(mask, _depth(mask) - 0.5, 0.5 - _depth(255 - mask))
    return _above_zero(level + amount * across * smooth, mask)


_WORSE: Mapping[Quality, Callable[[Mask, float, np.random.Generator], Mask]] = {
    "eroded": lambda mask, amount, _: eroded(mask, amount),
    "dilated": lambda mask, amount, _: dilated(mask, amount),
    "polygon": lambda mask, amount, _: polygon(mask, round(amount)),
    "box": lambda mask, _, __: box(mask),
    "circle": lambda mask, _, __: circle(mask),
    "shifted": shifted,
    "noise": noise,
}


def worse(mask: Mask, quality: Quality, amount: float | None, *, seed: int, image_id: str) -> Mask:
    """Give a mask in a quality that one mask alone determines (all but ``elsewhere``).

    Parameters
    ----------
    mask
        0 outside and 255 inside, (h, w).
    amount
        How much worse, as in ``AMOUNTS``; None: the usual.
    seed, image_id
        What is drawn is a function of these two.
    """
    if quality == "exact":
        return mask
    if amount is None:
        amount = AMOUNTS[quality].usual if quality in AMOUNTS else 0.0
    return _WORSE[quality](mask, amount, np.random.default_rng(drawn(seed, image_id)))


def drawn(seed: int, name: str) -> int:
    """Draw 64 bits for a name: the same wherever and in whatever order names come."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8])


def jaccard(found: Mask, wanted: Mask) -> float:
    """Give the area that two masks share over the area of both together; 1 where both are empty.

    Examples
    --------
    >>> jaccard(np.array([[255, 255, 0]], np.uint8), np.array([[0, 255, 255]], np.uint8))
    0.3333333333333333
    """
    either = np.count_nonzero(found | wanted)
    return float(np.count_nonzero(found & wanted) / either) if either else 1.0


def diameter(mask: Mask) -> float:
    """Give the diameter in pixels of the disc that has a mask's area."""
    return float(np.sqrt(4 / np.pi * np.count_nonzero(mask)))


def _depth(mask: Mask) -> NDArray[np.float64]:
    """Give each pixel's distance in pixels to the nearest one outside the mask, 0 there; infinite where none is."""
    if mask.all():
        return np.full(mask.shape, np.inf)
    return cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).astype(np.float64)


def _centre(mask: Mask) -> NDArray[np.float64]:
    """Give row and column of a mask's centre of mass."""
    moments = cv2.moments(mask, binaryImage=True)
    return np.array([moments["m01"], moments["m10"]]) / moments["m00"]


def _above_zero(level: NDArray[np.float64], mask: Mask) -> Mask:
    """Give where a level is above 0; where it is nowhere, the mask's highest places."""
    inside = level > 0
    if not inside.any() and mask.any():
        inside = (level == level[mask > 0].max()) & (mask > 0)
    return _binary(inside)


def _binary(inside: NDArray[np.bool_]) -> Mask:
    return np.where(inside, 255, 0).astype(np.uint8)
