"""Color of the skin around a lesion: the individual typology angle (ITA).

Chardon et al. 1991, International Journal of Cosmetic Science 13:191. The angle describes the color in the image, which
depends on camera, light and white balance as well as on the skin. It is not a phototype, which is defined by how skin
reacts to the sun.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionlens.core.types import BoolArray
from lesionlens.imaging.masks import BinaryMask

BORDER_WIDTH = 0.15
"""Width of the border, as a fraction of the shorter side."""
MIN_BORDER_SKIN = 0.1
"""Fraction of the border that must be skin."""
_SIDE = 128  # pixels of the shorter side that are enough for a median color
_DARK = 0.5  # of the median brightness of the border: darker pixels are corners, hair or ink
_LESION_MARGIN = 0.05  # of the shorter side: pigment around the lesion's mask


class ITAGroup(NamedTuple):
    """Name of a range of angles, from its lower bound in degrees (exclusive)."""

    name: str
    above: float


ITA_GROUPS = (
    ITAGroup("above 55° (very light)", 55.0),
    ITAGroup("41° to 55° (light)", 41.0),
    ITAGroup("28° to 41° (intermediate)", 28.0),
    ITAGroup("10° to 28° (tan)", 10.0),
    ITAGroup("−30° to 10° (brown)", -30.0),
    ITAGroup("−30° or below (dark)", -math.inf),
)
"""Ranges of Chardon et al. 1991 with the class "dark" of Del Bino et al. 2006, the lightest first."""


def measure_ita(image: NDArray[np.uint8], *, lesion_mask: BinaryMask | None = None) -> float:
    """Return the individual typology angle of the skin at the border of an image, in degrees.

    ITA = arctan((L* − 50) / b*), with the medians of L* and b* (CIELAB, sRGB, D65) over the border. Excluded are the
    lesion, and pixels less than half as bright as the median of the border: dark corners, hairs and ink.

    Parameters
    ----------
    image
        RGB image, (h, w, 3).
    lesion_mask
        Lesion mask, (h, w); default: the lesion is not excluded where it reaches the border.

    Returns
    -------
    float
        Angle from −90 to 90; NaN if less than `MIN_BORDER_SKIN` of the border is skin, or b* is not positive: the white
        balance then is so blue that the image does not show the color of the skin.
    """
    scale = _SIDE / min(image.shape[:2])
    if scale < 1:
        image = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    is_border = _border(image.shape[:2])
    is_skin = is_border & ~_excluded(image, is_border, lesion_mask)
    if is_skin.sum() < MIN_BORDER_SKIN * is_border.sum():
        return math.nan
    lab = cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    lightness, _, yellow = np.median(lab[is_skin], axis=0)
    return math.degrees(math.atan((lightness - 50) / yellow)) if yellow > 0 else math.nan


def _border(size: tuple[int, int]) -> BoolArray:
    width = max(1, round(BORDER_WIDTH * min(size)))
    border = np.ones(size, dtype=np.bool_)
    border[width:-width, width:-width] = False
    return border


def _excluded(image: NDArray[np.uint8], is_border: BoolArray, lesion_mask: BinaryMask | None) -> BoolArray:
    brightness = image.max(axis=2)
    visible = brightness[is_border & (brightness > 0)]
    reference = np.median(visible) if len(visible) else 255.0
    dark = brightness < _DARK * max(reference, np.quantile(brightness, 0.75))
    if lesion_mask is None:
        return np.asarray(dark)
    h, w = image.shape[:2]
    resized = cv2.resize(lesion_mask.astype(np.uint8), (w, h), interpolation=cv2.INTER_NEAREST)
    size = 2 * max(1, round(_LESION_MARGIN * min(h, w))) + 1
    return np.asarray(dark | (cv2.dilate(resized, np.ones((size, size), np.uint8)) > 0))


def ita_group(angle: float) -> str:
    """Return the range of an angle in degrees; "" if it is NaN.

    Examples
    --------
    >>> ita_group(60), ita_group(10), ita_group(float("nan"))
    ('above 55° (very light)', '−30° to 10° (brown)', '')
    """
    return "" if math.isnan(angle) else next(group.name for group in ITA_GROUPS if angle > group.above)
