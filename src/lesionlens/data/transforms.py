"""One change of an image and its mask: one warp, then one colour matrix."""

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.resize import resized_crop

LUMA_WEIGHTS = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601, as in Pillow
PaddingMode = Literal["reflect", "replicate"]
PADDING_MODES: dict[PaddingMode, int] = {"reflect": cv2.BORDER_REFLECT_101, "replicate": cv2.BORDER_REPLICATE}
_IDENTITY = np.eye(3)
_LUMA_MATRIX = np.tile(np.array(LUMA_WEIGHTS), (3, 1))
_HUE_GENERATOR = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)


@dataclass(frozen=True)
class AugmentParams:
    """What is done to one image.

    Attributes
    ----------
    rotation
        Degrees, counterclockwise.
    scale
        Of height and width.
    translation
        Down and to the right, as shares of height and width.
    padding_mode
        What comes in from outside: the image mirrored at its border (``reflect``), or its border drawn out
        (``replicate``).
    rot90
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

    rotation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    translation: tuple[float, float] = (0.0, 0.0)
    padding_mode: PaddingMode = "reflect"
    rot90: int = 0
    flips: tuple[bool, bool] = (False, False)
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0
    cutout: tuple[float, float, float] = (0.0, 0.0, 0.0)


def augment(params: AugmentParams, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Move and recolour an image, (h, w, 3)."""
    return apply_color(params, apply_geometric(params, image))


def apply_geometric(params: AugmentParams, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Warp, turn and flip an image (h, w, c) or its mask (h, w), both in the same way and one sampling; its size stays.

    The picture itself is given back where nothing moves.
    """
    size = (image.shape[0], image.shape[1])
    matrix = affine_matrix(params, *size)
    return image if np.array_equal(matrix, np.eye(2, 3)) else warp_affine(params, image, matrix, size)


def warp_affine(
    params: AugmentParams, image: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Draw a picture anew in (height, width), its pixels where OpenCV's 2 by 3 matrix takes them."""
    between, fill = needs_interpolation(params), PADDING_MODES[params.padding_mode]
    how = cv2.INTER_LINEAR if between else cv2.INTER_NEAREST  # the same there, but faster
    # of four channels OpenCV interpolates the same values in half of the time that it needs for three
    widened = between and image.shape[2:] == (3,)
    drawn = cv2.warpAffine(
        cv2.cvtColor(image, cv2.COLOR_RGB2RGBA) if widened else image,
        matrix,
        (size[1], size[0]),
        flags=how,
        borderMode=fill,
    )
    return np.asarray(cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB) if widened else drawn, dtype=np.uint8)


def apply_color(params: AugmentParams, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Change colours, (h, w, 3): brightness, contrast, saturation and hue as one matrix; then paint the square."""
    if (params.brightness, params.contrast, params.saturation, params.hue) != (1.0, 1.0, 1.0, 0.0):
        image = np.asarray(cv2.transform(image, color_matrix(params, _mean_gray(image))), dtype=np.uint8)
    if params.cutout[2]:
        image = image.copy()
        image[cutout_box(params.cutout, *image.shape[:2])] = np.rint(cv2.mean(image)[:3])
    return image


def affine_matrix(params: AugmentParams, height: int, width: int) -> NDArray[np.float64]:
    """Scale, rotation and translation about the middle of the pixel grid, then turns and flips: OpenCV's 2 by 3."""
    cos, sin = math.cos(math.radians(params.rotation)), math.sin(math.radians(params.rotation))
    down, across = params.scale
    right, below = params.translation[1] * width, params.translation[0] * height
    rows = np.array([[across * cos, down * sin, right], [-across * sin, down * cos, below]])
    for _ in range(params.rot90 if height == width else params.rot90 // 2 * 2):
        rows = np.array([rows[1], -rows[0]])  # counterclockwise, where y points down
    rows *= [[-1 if flipped else 1] for flipped in params.flips]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    rows[:, 2] += middle - rows[:, :2] @ middle
    return rows


def needs_interpolation(params: AugmentParams) -> bool:
    """Say whether more is done than turns and flips: pixels then come to lie between pixels."""
    return bool(params.rotation) or params.scale != (1.0, 1.0) or params.translation != (0.0, 0.0)


def color_matrix(params: AugmentParams, mean_gray: float) -> NDArray[np.float64]:
    """Brightness, then contrast about an image's mean grey, then saturation, then hue, as one 3 by 4 matrix."""
    colour = _hue_matrix(params.hue) @ (
        params.saturation * _IDENTITY + (1 - params.saturation) * _LUMA_MATRIX
    )
    matrix = np.empty((3, 4))
    matrix[:, :3] = params.brightness * params.contrast * colour
    matrix[:, 3] = (1 - params.contrast) * mean_gray * params.brightness * colour.sum(axis=1)
    return matrix


def _mean_gray(image: NDArray[np.uint8]) -> float:
    red, green, blue, _ = cv2.mean(image)
    return LUMA_WEIGHTS[0] * red + LUMA_WEIGHTS[1] * green + LUMA_WEIGHTS[2] * blue


def _hue_matrix(fraction: float) -> NDArray[np.float64]:
    """Rotate the colour cube about its grey diagonal (Rodrigues' formula).

    HSV's hue is no linear map. This is one: by a third of a turn both exchange the channels; in between this keeps the
    mean of the channels where HSV keeps the largest, and colours agree but for that brightness.
    """
    cos, sin = math.cos(2 * math.pi * fraction), math.sin(2 * math.pi * fraction)
    return cos * _IDENTITY + sin * _HUE_GENERATOR + (1 - cos) / 3


def cutout_box(cutout: tuple[float, float, float], height: int, width: int) -> tuple[slice, slice]:
    """Where the square lies; what would leave the image is not there."""
    side = round(cutout[2] * min(height, width))
    top, left = round(cutout[0] * height - side / 2), round(cutout[1] * width - side / 2)
    return slice(max(0, top), max(0, top + side)), slice(max(0, left), max(0, left + side))


# Beyond that an interpolation of neighbours passes too many pixels over. Below, photographs differ from those sampled
# twice by half a grey level in the mean, and are sharper at edges.
MAX_DOWNSCALE = 1.5


def crop_and_transform(
    params: AugmentParams, image: NDArray[np.uint8], box: CropBox, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Cut a box from an image (h, w, 3) or a mask (h, w), bring it to (height, width) and move it.

    What comes in from outside is made of the box, as if it were cut first.
    """
    if not single_interpolation(params, box, size):
        return apply_geometric(params, resized_crop(image, box, size))
    part = image[box.slices()]
    return warp_affine(params, part, affine_matrix(params, *size) @ crop_to_size_matrix(box, size), size)


def single_interpolation(params: AugmentParams, box: CropBox, size: tuple[int, int]) -> bool:
    """Say whether the picture is interpolated once: where it would be twice, and the box does not shrink by much.

    A mere resize stays as in prediction; so does that of a box in a frame, as its paper has it.
    """
    shrunk = max(box.height / size[0], box.width / size[1])
    return needs_interpolation(params) and box.parent is None and shrunk <= MAX_DOWNSCALE


def crop_to_size_matrix(box: CropBox, size: tuple[int, int]) -> NDArray[np.float64]:
    """Give the 3 by 3 matrix from a box's pixels, counted from its corner, to those of the size; edges stay edges."""
    down, across = size[0] / box.height, size[1] / box.width
    return np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])
