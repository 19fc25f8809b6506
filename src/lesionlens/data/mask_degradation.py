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

from lesionlens.data.mask_store import MaskImage

MaskDegradation = Literal[
    "exact",
    "eroded",
    "dilated",
    "polygon",
    "bounding_box",
    "circle",
    "shifted",
    "jittered_contour",
    "mismatched",
]
NOISE_SCALE = 0.1  # standard deviation of the filter that smooths the noise, in equivalent diameters


class SeverityRange(NamedTuple):
    """What ``severity`` may be for a degradation, and is where none is given."""

    default: float
    min: float
    max: float
    unit: str


_DIAMETER_UNIT = "in diameters of the disc of a mask's area"
SEVERITIES: Mapping[MaskDegradation, SeverityRange] = {
    "eroded": SeverityRange(0.1, 0, 2, _DIAMETER_UNIT),
    "dilated": SeverityRange(0.1, 0, 2, _DIAMETER_UNIT),
    "polygon": SeverityRange(6, 3, 1000, "the number of corners"),
    "shifted": SeverityRange(0.5, 0, 2, _DIAMETER_UNIT),
    "jittered_contour": SeverityRange(0.1, 0, 2, _DIAMETER_UNIT),
}
"""Of the degradations that have one."""


def erode_mask(mask: MaskImage, severity: float) -> MaskImage:
    """Take away all within ``severity`` equivalent diameters of the outline; the innermost pixels stay.

    The image's border is no outline: a lesion that it cuts goes on beyond.
    """
    return _positive_mask(_distance_transform(mask) - severity * equivalent_diameter(mask), mask)


def dilate_mask(mask: MaskImage, severity: float) -> MaskImage:
    """Add all within ``severity`` equivalent diameters of the mask."""
    return _to_mask_image(
        mask.any() & (_distance_transform(255 - mask) <= severity * equivalent_diameter(mask))
    )


def approximate_polygon(mask: MaskImage, num_corners: int) -> MaskImage:
    """Join ``num_corners`` points at equal distances along the outer outline of each part of a mask; fill holes."""
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn = np.zeros_like(mask)
    for outline in found:
        closed = np.concatenate([outline[:, 0], outline[:1, 0]])
        along = np.concatenate([[0], np.hypot(*np.diff(closed, axis=0).T).cumsum()])
        places = np.linspace(0, along[-1], num_corners, endpoint=False)
        points = np.column_stack([np.interp(places, along, axis) for axis in closed.T])
        cv2.fillPoly(drawn, [np.rint(points).astype(np.int32)], 255)
    return drawn


def fill_bounding_box(mask: MaskImage) -> MaskImage:
    """Fill the smallest upright rectangle around a mask."""
    drawn = np.zeros_like(mask)
    left, top, width, height = cv2.boundingRect(mask)
    drawn[top : top + height, left : left + width] = 255
    return drawn


def fill_equal_area_circle(mask: MaskImage) -> MaskImage:
    """Fill the circle of a mask's area about its centre of mass, as far as it lies in the image."""
    if not mask.any():
        return mask.copy()
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    centre = _centroid(mask)
    apart = np.hypot(y - centre[0], x - centre[1])
    return _to_mask_image(apart <= max(equivalent_diameter(mask) / 2, apart.min()))


def shift_mask(mask: MaskImage, severity: float, rng: np.random.Generator) -> MaskImage:
    """Move a mask by ``severity`` equivalent diameters in a drawn direction; its centre of mass stays in the image."""
    angle = rng.uniform(0, 2 * np.pi)
    if not mask.any():
        return mask.copy()
    centre, size = _centroid(mask), np.array(mask.shape)
    moved = centre + severity * equivalent_diameter(mask) * np.array([np.sin(angle), np.cos(angle)])
    down, right = np.rint(moved.clip(0, size - 1) - centre)
    warp = np.array([[1.0, 0.0, right], [0.0, 1.0, down]])
    found = cv2.warpAffine(mask, warp, (mask.shape[1], mask.shape[0]), flags=cv2.INTER_NEAREST)
    return np.asarray(found, dtype=np.uint8) if found.any() else mask.copy()


def jitter_contour(mask: MaskImage, severity: float, rng: np.random.Generator) -> MaskImage:
    """Move the outline in and out by smooth Gaussian noise whose standard deviation is ``severity``.

    The noise changes over ``NOISE_SCALE`` equivalent diameters.
    """
    white = rng.standard_normal(mask.shape, dtype=np.float32)
    if not mask.any():
        return mask.copy()
    across = equivalent_diameter(mask)
    sigma = max(NOISE_SCALE * across, 1.0)
    smooth = cv2.GaussianBlur(white, (0, 0), sigma) * (2 * sigma * np.sqrt(np.pi))  # its deviation is 1 again
    # half a pixel each: the outline runs between the pixels inside and outside
    level = np.where(mask, _distance_transform(mask) - 0.5, 0.5 - _distance_transform(255 - mask))
    return _positive_mask(level + severity * across * smooth, mask)


_DEGRADATIONS: Mapping[MaskDegradation, Callable[[MaskImage, float, np.random.Generator], MaskImage]] = {
    "eroded": lambda mask, amount, _: erode_mask(mask, amount),
    "dilated": lambda mask, amount, _: dilate_mask(mask, amount),
    "polygon": lambda mask, amount, _: approximate_polygon(mask, round(amount)),
    "bounding_box": lambda mask, _, __: fill_bounding_box(mask),
    "circle": lambda mask, _, __: fill_equal_area_circle(mask),
    "shifted": shift_mask,
    "jittered_contour": jitter_contour,
}


def degrade_mask(
    mask: MaskImage, degradation: MaskDegradation, severity: float | None, *, seed: int, image_id: str
) -> MaskImage:
    """Degrade a mask in a way that one mask alone determines (all but ``mismatched``).

    Parameters
    ----------
    mask
        0 outside and 255 inside, (h, w).
    severity
        How much worse, as in ``SEVERITIES``; None: the usual.
    seed, image_id
        What is drawn is a function of these two.
    """
    if degradation == "exact":
        return mask
    if severity is None:
        severity = SEVERITIES[degradation].default if degradation in SEVERITIES else 0.0
    return _DEGRADATIONS[degradation](mask, severity, np.random.default_rng(hash_seed(seed, image_id)))


def hash_seed(seed: int, name: str) -> int:
    """Draw 64 bits for a name: the same wherever and in whatever order names come."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8])


def iou(mask: MaskImage, target: MaskImage) -> float:
    """Give the area that two masks share over the area of both together; 1 where both are empty.

    Examples
    --------
    >>> iou(np.array([[255, 255, 0]], np.uint8), np.array([[0, 255, 255]], np.uint8))
    0.3333333333333333
    """
    either = np.count_nonzero(mask | target)
    return float(np.count_nonzero(mask & target) / either) if either else 1.0


def equivalent_diameter(mask: MaskImage) -> float:
    """Give the diameter in pixels of the disc that has a mask's area."""
    return float(np.sqrt(4 / np.pi * np.count_nonzero(mask)))


def _distance_transform(mask: MaskImage) -> NDArray[np.float64]:
    """Give each pixel's distance in pixels to the nearest one outside the mask, 0 there; infinite where none is."""
    if mask.all():
        return np.full(mask.shape, np.inf)
    return cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).astype(np.float64)


def _centroid(mask: MaskImage) -> NDArray[np.float64]:
    """Give row and column of a mask's centre of mass."""
    moments = cv2.moments(mask, binaryImage=True)
    return np.array([moments["m01"], moments["m10"]]) / moments["m00"]


def _positive_mask(level: NDArray[np.float64], mask: MaskImage) -> MaskImage:
    """Give where a level is above 0; where it is nowhere, the mask's highest places."""
    inside = level > 0
    if not inside.any() and mask.any():
        inside = (level == level[mask > 0].max()) & (mask > 0)
    return _to_mask_image(inside)


def _to_mask_image(inside: NDArray[np.bool_]) -> MaskImage:
    return np.where(inside, 255, 0).astype(np.uint8)
