"""One change of an image and its mask: one warp, then one colour matrix."""

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

GREY = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601, as in Pillow
Fill = Literal["reflect", "nearest"]
BORDERS: dict[Fill, int] = {"reflect": cv2.BORDER_REFLECT_101, "nearest": cv2.BORDER_REPLICATE}
_SAME = np.eye(3)
_GREY = np.tile(np.array(GREY), (3, 1))
_ACROSS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)


@dataclass(frozen=True)
class Change:
    """What is done to one image.

    Attributes
    ----------
    angle
        Degrees, counterclockwise.
    zoom
        Of height and width.
    shift
        Down and to the right, as shares of height and width.
    fill
        What comes in from outside: the image mirrored at its border (``reflect``), or its border drawn out.
    quarters
        Quarter turns, counterclockwise; of a picture that is not square only half turns are done.
    flips
        Left to right, top to bottom.
    brightness, contrast, saturation
        Factors, as in torchvision.
    hue
        Share of a full turn of all colours about the grey ones.
    cutout
        A square painted over in the image's mean colour: the place of its middle and its side, as shares of height,
        width and the shorter side. None where the side is 0.
    """

    angle: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)
    fill: Fill = "reflect"
    quarters: int = 0
    flips: tuple[bool, bool] = (False, False)
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0
    cutout: tuple[float, float, float] = (0.0, 0.0, 0.0)


def apply(change: Change, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Move and recolour an image, (h, w, 3)."""
    return recolour(change, move(change, image))


def move(change: Change, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Warp, turn and flip an image (h, w, c) or its mask (h, w), both in the same way and one sampling; its size stays.

    The picture itself is given back where nothing moves.
    """
    size = (picture.shape[0], picture.shape[1])
    matrix = warp(change, *size)
    return picture if np.array_equal(matrix, np.eye(2, 3)) else sampled(change, picture, matrix, size)


def sampled(
    change: Change, picture: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Draw a picture anew in (height, width), its pixels where OpenCV's 2 by 3 matrix takes them."""
    between, fill = between_pixels(change), BORDERS[change.fill]
    how = cv2.INTER_LINEAR if between else cv2.INTER_NEAREST  # the same there, but faster
    # of four channels OpenCV interpolates the same values in half of the time that it needs for three
    widened = between and picture.shape[2:] == (3,)
    drawn = cv2.warpAffine(
        cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA) if widened else picture,
        matrix,
        (size[1], size[0]),
        flags=how,
        borderMode=fill,
    )
    return np.asarray(cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB) if widened else drawn, dtype=np.uint8)


def recolour(change: Change, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Change colours, (h, w, 3): brightness, contrast, saturation and hue as one matrix; then paint the square."""
    if (change.brightness, change.contrast, change.saturation, change.hue) != (1.0, 1.0, 1.0, 0.0):
        image = np.asarray(cv2.transform(image, colours(change, _mean_grey(image))), dtype=np.uint8)
    if change.cutout[2]:
        image = image.copy()
        image[square(change.cutout, *image.shape[:2])] = np.rint(cv2.mean(image)[:3])
    return image


def warp(change: Change, height: int, width: int) -> NDArray[np.float64]:
    """Zoom, rotation and shift about the middle of the pixel grid, then turns and flips, as OpenCV's 2 by 3 matrix."""
    cos, sin = math.cos(math.radians(change.angle)), math.sin(math.radians(change.angle))
    down, across = change.zoom
    right, below = change.shift[1] * width, change.shift[0] * height
    rows = np.array([[across * cos, down * sin, right], [-across * sin, down * cos, below]])
    for _ in range(change.quarters if height == width else change.quarters // 2 * 2):
        rows = np.array([rows[1], -rows[0]])  # counterclockwise, where y points down
    rows *= [[-1 if flipped else 1] for flipped in change.flips]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    rows[:, 2] += middle - rows[:, :2] @ middle
    return rows


def between_pixels(change: Change) -> bool:
    """Say whether more is done than turns and flips: pixels then come to lie between pixels."""
    return bool(change.angle) or change.zoom != (1.0, 1.0) or change.shift != (0.0, 0.0)


def colours(change: Change, mean_grey: float) -> NDArray[np.float64]:
    """Brightness, then contrast about an image's mean grey, then saturation, then hue, as one 3 by 4 matrix."""
    colour = _hue(change.hue) @ (change.saturation * _SAME + (1 - change.saturation) * _GREY)
    matrix = np.empty((3, 4))
    matrix[:, :3] = change.brightness * change.contrast * colour
    matrix[:, 3] = (1 - change.contrast) * mean_grey * change.brightness * colour.sum(axis=1)
    return matrix


def _mean_grey(image: NDArray[np.uint8]) -> float:
    red, green, blue, _ = cv2.mean(image)
    return GREY[0] * red + GREY[1] * green + GREY[2] * blue


def _hue(turn: float) -> NDArray[np.float64]:
    """Rotate the colour cube about its grey diagonal (Rodrigues' formula).

    HSV's hue is no linear map. This is one: by a third of a turn both exchange the channels; in between this keeps the
    mean of the channels where HSV keeps the largest, and colours agree but for that brightness.
    """
    cos, sin = math.cos(2 * math.pi * turn), math.sin(2 * math.pi * turn)
    return cos * _SAME + sin * _ACROSS + (1 - cos) / 3


def square(cutout: tuple[float, float, float], height: int, width: int) -> tuple[slice, slice]:
    """Where the square lies; what would leave the image is not there."""
    side = round(cutout[2] * min(height, width))
    top, left = round(cutout[0] * height - side / 2), round(cutout[1] * width - side / 2)
    return slice(max(0, top), max(0, top + side)), slice(max(0, left), max(0, left + side))
