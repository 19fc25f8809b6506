"""Detect hair, rulers, ink, color patches (stickers) and dark corners, without a trained model.

Each detector computes one score per image. The thresholds were chosen on 400 synthetic images, whose artifacts are
known; ``docs/subgroups.md`` reports sensitivity and specificity on others. Errors on real images were not measured.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.imaging.hair_removal import line_kernels, max_over_kernels

DETECTION_SIDE = 300
"""Pixels of the shorter side on which the detectors were tuned; larger images are resized."""
_BORDER_WIDTH = 0.15  # fractions of the shorter side
_CORNER_WIDTH = 0.025
_HAIR_WIDTH, _HAIR_LENGTH = 0.02, 0.1
_HAIR_CONTRAST = 18  # gray levels
_RULER_DEPTH = 0.13
_TICK_WIDTH = 0.022
_TICK_FREQUENCIES = (22.0, 60.0)  # ticks per shorter side
_INK_BLUENESS, _PATCH_CHROMA = 10.0, 22.0  # differences from the skin in b*, and in a* and b* together


def dark_corner_score(image: NDArray[np.uint8]) -> float:
    """Return how much darker the four corners are than the median of an image, (h, w, 3): 1 for black corners."""
    width = max(2, round(_CORNER_WIDTH * min(image.shape[:2])))
    brightness = image.max(axis=2)
    starts = (slice(width), slice(-width, None))
    corners = [float(np.median(brightness[rows, columns])) for rows in starts for columns in starts]
    reference = float(np.median(brightness))
    return 1 - float(np.mean(corners)) / reference if reference else 0.0


def hair_score(image: NDArray[np.uint8]) -> float:
    """Return the fraction of pixels on thin straight lines, dark or fair, of an image, (h, w, 3).

    As in `lesionlens.imaging.hair_removal.hair_mask`, without dark areas that touch a corner.
    """
    side = min(image.shape[:2])
    gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    corners = _dark_corner_mask(image)
    fractions = []
    for operation in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT):
        contrast = max_over_kernels(operation, gray, line_kernels(_HAIR_WIDTH * side, 4))
        lines = ((contrast > _HAIR_CONTRAST) & ~corners).astype(np.uint8)
        straight = max_over_kernels(cv2.MORPH_OPEN, lines, line_kernels(_HAIR_LENGTH * side, 24))
        fractions.append(float(straight.mean()))
    return max(fractions)


def _dark_corner_mask(image: NDArray[np.uint8]) -> BoolArray:
    brightness = image.max(axis=2)
    _, labels = cv2.connectedComponents((brightness < 0.5 * np.median(brightness)).astype(np.uint8))
    dark = np.isin(labels, [label for label in labels[[0, 0, -1, -1], [0, -1, 0, -1]] if label])
    width = 2 * max(1, round(_HAIR_WIDTH * min(labels.shape))) + 1
    return np.asarray(cv2.dilate(dark.astype(np.uint8), np.ones((width, width), np.uint8)) > 0)


def ruler_score(image: NDArray[np.uint8]) -> float:
    """Return how periodic dark ticks along one of the four sides of an image, (h, w, 3), are, from 0 to 1.

    It is the fraction of the power of the ticks' profile at its strongest frequency, for a contrast of one gray level
    or more.
    """
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return max(_tick_periodicity(np.ascontiguousarray(np.rot90(gray, turns))) for turns in range(4))


def _tick_periodicity(gray: NDArray[np.uint8]) -> float:
    side = min(gray.shape)
    strip = gray[: round(_RULER_DEPTH * side)]
    kernel = np.ones((1, max(5, round(_TICK_WIDTH * side))), np.uint8)
    ticks = np.minimum(cv2.morphologyEx(strip, cv2.MORPH_BLACKHAT, kernel).astype(np.float32), 40)
    profile = cv2.blur(ticks, (1, max(3, round(0.012 * side)))).max(axis=0)
    profile = (profile - cv2.blur(profile[None], (round(0.2 * side), 1))[0]) * np.hanning(len(profile))
    power = np.abs(np.fft.rfft(profile, 4 * len(profile))) ** 2
    frequency = np.fft.rfftfreq(4 * len(profile)) * side
    low, high = _TICK_FREQUENCIES
    peak = int(np.argmax(np.where((frequency > low) & (frequency < high), power, 0)))
    total = power[frequency > 4].sum()
    amplitude = np.sqrt(power[peak]) / len(profile)
    near = np.abs(frequency - frequency[peak]) < 1.5
    return float(power[near].sum() / total * min(1.0, amplitude)) if total > 0 else 0.0


def ink_score(image: NDArray[np.uint8]) -> float:
    """Return the fraction of pixels of an image, (h, w, 3), that are bluer and darker than the skin at its border."""
    lab, (lightness, red, blue) = _lab_and_skin(image)
    is_ink = (
        (lab[..., 2] < blue - _INK_BLUENESS)
        & (lab[..., 0] < lightness - 3)
        & (lab[..., 0] > 15)
        & (lab[..., 1] > red - 4)
    )
    return float(cv2.morphologyEx(is_ink.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).mean())


def color_patch_score(image: NDArray[np.uint8]) -> float:
    """Return the fraction of an image, (h, w, 3), in the largest area of one strong color at its left or right side."""
    lab, skin = _lab_and_skin(image)
    difference = np.hypot(lab[..., 1] - skin[1], lab[..., 2] - skin[2])
    is_colored = ((difference > _PATCH_CHROMA) & (lab[..., 0] > 25)).astype(np.uint8)
    opened = cv2.morphologyEx(is_colored, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    count, labels, areas, _ = cv2.connectedComponentsWithStats(opened)
    best = 0.0
    for label in range(1, count):
        x, _, width, _, area = areas[label]
        if x == 0 or x + width == opened.shape[1]:
            spread = float(np.std(difference[labels == label]))
            best = max(best, float(area) / opened.size / (1 + (spread / 6) ** 2))
    return best


def _lab_and_skin(image: NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
    """Return CIELAB, (h, w, 3), and its median over the bright half of the border, (3,)."""
    lab = cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB).astype(np.float64)
    width = round(_BORDER_WIDTH * min(image.shape[:2]))
    is_border = np.ones(image.shape[:2], dtype=np.bool_)
    is_border[width:-width, width:-width] = False
    border = lab[is_border]
    bright = border[border[:, 0] >= 0.5 * np.median(border[:, 0])]
    return lab, np.asarray(np.median(bright, axis=0))


class ArtifactDetector(NamedTuple):
    """Function that scores an image, (h, w, 3), and the threshold from which the artifact counts as present."""

    score: Callable[[NDArray[np.uint8]], float]
    threshold: float


ARTIFACT_DETECTORS: dict[str, ArtifactDetector] = {
    "hair": ArtifactDetector(hair_score, 0.0005),
    "ruler": ArtifactDetector(ruler_score, 0.2),
    "ink_markings": ArtifactDetector(ink_score, 0.0006),
    "color_patch": ArtifactDetector(color_patch_score, 0.002),
    "dark_corners": ArtifactDetector(dark_corner_score, 0.41),
}
"""Detector of each artifact, by its name in the labels of synthetic images."""


def detect_artifacts(
    image: NDArray[np.uint8], names: Iterable[str] = tuple(ARTIFACT_DETECTORS)
) -> dict[str, bool]:
    """Return whether an RGB image, (h, w, 3), shows each of the named artifacts of `ARTIFACT_DETECTORS`."""
    scale = DETECTION_SIDE / min(image.shape[:2])
    if scale < 1:
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    detectors = {name: ARTIFACT_DETECTORS[name] for name in names}
    return {name: detector.score(image) >= detector.threshold for name, detector in detectors.items()}
