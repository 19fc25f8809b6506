"""Degrade lesion masks as less careful annotators would draw them.

Yan 2020, section 5.1, compares masks for supervised attention: "precise delineation, approximating polygon, or a
bounding box". Masks are uint8 (h, w), 0 outside and 255 inside. Distances are in equivalent diameters: the diameter of
the disc with the area of the mask. An empty mask stays empty, and no other mask becomes empty.
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
NOISE_SCALE = 0.1  # standard deviation of the filter that smooths contour noise, in equivalent diameters


class SeverityRange(NamedTuple):
    """Default and allowed range of ``severity`` for a degradation."""

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
"""Severity range of each degradation that has a severity."""


def erode_mask(mask: MaskImage, severity: float) -> MaskImage:
    """Remove pixels within ``severity`` equivalent diameters of the contour, except the innermost ones.

    The image border is not part of the contour: a lesion that touches it continues outside the image.
    """
    return _positive_mask(_distance_transform(mask) - severity * equivalent_diameter(mask), mask)


def dilate_mask(mask: MaskImage, severity: float) -> MaskImage:
    """Add pixels within ``severity`` equivalent diameters of the mask."""
    near = _distance_transform(255 - mask) <= severity * equivalent_diameter(mask)
    return _to_mask_image(mask.any() & near)


def approximate_polygon(mask: MaskImage, num_corners: int) -> MaskImage:
    """Replace each component by the polygon of ``num_corners`` equidistant points of its outer contour; fill holes."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    polygons = np.zeros_like(mask)
    for contour in contours:
        closed = np.concatenate([contour[:, 0], contour[:1, 0]])
        arc_length = np.concatenate([[0], np.hypot(*np.diff(closed, axis=0).T).cumsum()])
        positions = np.linspace(0, arc_length[-1], num_corners, endpoint=False)
        nearest = np.searchsorted((arc_length[1:] + arc_length[:-1]) / 2, positions)  # pixel of the contour
        cv2.fillPoly(polygons, [closed[nearest]], 255)
    return polygons


def fill_bounding_box(mask: MaskImage) -> MaskImage:
    """Fill the bounding box of a mask."""
    box = np.zeros_like(mask)
    left, top, width, height = cv2.boundingRect(mask)
    box[top : top + height, left : left + width] = 255
    return box


def fill_equal_area_circle(mask: MaskImage) -> MaskImage:
    """Fill the circle of equal area around the mask's centroid, clipped to the image."""
    if not mask.any():
        return mask.copy()
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    center = _centroid(mask)
    distance = np.hypot(y - center[0], x - center[1])
    return _to_mask_image(distance <= max(equivalent_diameter(mask) / 2, distance.min()))


def shift_mask(mask: MaskImage, severity: float, rng: np.random.Generator) -> MaskImage:
    """Shift a mask by ``severity`` equivalent diameters in a random direction; the centroid stays in the image."""
    angle = rng.uniform(0, 2 * np.pi)
    if not mask.any():
        return mask.copy()
    center, size = _centroid(mask), np.array(mask.shape)
    target = center + severity * equivalent_diameter(mask) * np.array([np.sin(angle), np.cos(angle)])
    down, right = np.rint(target.clip(0, size - 1) - center)
    matrix = np.array([[1.0, 0.0, right], [0.0, 1.0, down]])
    shifted = cv2.warpAffine(mask, matrix, (mask.shape[1], mask.shape[0]), flags=cv2.INTER_NEAREST)
    return np.asarray(shifted, dtype=np.uint8) if shifted.any() else mask.copy()


def jitter_contour(mask: MaskImage, severity: float, rng: np.random.Generator) -> MaskImage:
    """Displace the contour by smooth Gaussian noise with standard deviation ``severity`` equivalent diameters.

    The noise is smoothed over ``NOISE_SCALE`` equivalent diameters.
    """
    white = rng.standard_normal(mask.shape, dtype=np.float32)
    if not mask.any():
        return mask.copy()
    diameter = equivalent_diameter(mask)
    sigma = max(NOISE_SCALE * diameter, 1.0)
    smooth = cv2.GaussianBlur(white, (0, 0), sigma) * (2 * sigma * np.sqrt(np.pi))  # unit deviation again
    # The contour is half a pixel from the pixels inside and outside.
    signed_distance = np.where(mask, _distance_transform(mask) - 0.5, 0.5 - _distance_transform(255 - mask))
    return _positive_mask(signed_distance + severity * diameter * smooth, mask)


_DEGRADATIONS: Mapping[MaskDegradation, Callable[[MaskImage, float, np.random.Generator], MaskImage]] = {
    "eroded": lambda mask, severity, _: erode_mask(mask, severity),
    "dilated": lambda mask, severity, _: dilate_mask(mask, severity),
    "polygon": lambda mask, severity, _: approximate_polygon(mask, round(severity)),
    "bounding_box": lambda mask, _, __: fill_bounding_box(mask),
    "circle": lambda mask, _, __: fill_equal_area_circle(mask),
    "shifted": shift_mask,
    "jittered_contour": jitter_contour,
}


def degrade_mask(
    mask: MaskImage, degradation: MaskDegradation, severity: float | None, *, seed: int, image_id: str
) -> MaskImage:
    """Degrade one mask.

    Parameters
    ----------
    mask
        Mask of 0 outside and 255 inside, (h, w).
    degradation
        Kind of degradation; any but ``mismatched``, which needs the masks of other images.
    severity
        Strength in the unit of ``SEVERITIES``; None: its default.
    seed, image_id
        Random seed and image id; all random numbers are a function of these two.
    """
    if degradation == "exact":
        return mask
    if severity is None:
        severity = SEVERITIES[degradation].default if degradation in SEVERITIES else 0.0
    return _DEGRADATIONS[degradation](mask, severity, np.random.default_rng(hash_seed(seed, image_id)))


def hash_seed(seed: int, name: str) -> int:
    """Return a 64-bit random seed for a name, independent of the order in which names are processed."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8])


def equivalent_diameter(mask: MaskImage) -> float:
    """Return the diameter in pixels of the disc with the area of a mask."""
    return float(np.sqrt(4 / np.pi * np.count_nonzero(mask)))


def _distance_transform(mask: MaskImage) -> NDArray[np.float64]:
    """Return each pixel's distance to the nearest pixel outside the mask; infinite if there is none."""
    if mask.all():
        return np.full(mask.shape, np.inf)
    return cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).astype(np.float64)


def _centroid(mask: MaskImage) -> NDArray[np.float64]:
    """Return the row and column of a mask's centroid."""
    moments = cv2.moments(mask, binaryImage=True)
    return np.array([moments["m01"], moments["m10"]]) / moments["m00"]


def _positive_mask(level: NDArray[np.float64], mask: MaskImage) -> MaskImage:
    """Return where a level is above 0; if nowhere, the pixels of the mask at which it is highest."""
    inside = level > 0
    if not inside.any() and mask.any():
        inside = (level == level[mask > 0].max()) & (mask > 0)
    return _to_mask_image(inside)


def _to_mask_image(inside: NDArray[np.bool_]) -> MaskImage:
    return np.where(inside, 255, 0).astype(np.uint8)
