"""Augment an image and its mask with given parameters: one affine warp, one color matrix, then cutout."""

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
# Beyond this factor, bilinear interpolation skips too many pixels. Below it, images differ from those interpolated
# twice by half a gray level on average, and are sharper at edges.
MAX_DOWNSCALE = 1.5
_IDENTITY = np.eye(3)
_LUMA_MATRIX = np.tile(np.array(LUMA_WEIGHTS), (3, 1))
_HUE_GENERATOR = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)


@dataclass(frozen=True)
class AugmentParams:
    """Parameters of the augmentation of one image.

    Attributes
    ----------
    rotation
        Rotation in degrees, counterclockwise.
    scale
        Factors of height and width.
    translation
        Shift down and to the right, as fractions of height and width.
    padding_mode
        Pixels outside the image: mirrored at the border (``reflect``), or the border pixel repeated (``replicate``).
    rot90
        Number of counterclockwise rotations by 90 degrees; for images that are not square only pairs are applied.
    flips
        Whether to flip left to right and top to bottom.
    brightness, contrast, saturation
        Factors, as in torchvision.
    hue
        Rotation of all colors about the gray axis, as a fraction of a full turn.
    cutout
        Center and side of the square filled with the image's mean color, as fractions of height, width and the shorter
        side; side 0: no square.
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
    """Warp an image, (h, w, 3), and change its colors."""
    return apply_color(params, apply_geometric(params, image))


def apply_geometric(params: AugmentParams, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Warp an image (h, w, c) or its mask (h, w) without changing its size; all transforms are one interpolation.

    The same array is returned if the parameters are those of the identity.
    """
    size = (image.shape[0], image.shape[1])
    matrix = affine_matrix(params, *size)
    return image if np.array_equal(matrix, np.eye(2, 3)) else warp_affine(params, image, matrix, size)


def apply_color(params: AugmentParams, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Change brightness, contrast, saturation and hue of an image, (h, w, 3), with one matrix; then apply cutout."""
    if (params.brightness, params.contrast, params.saturation, params.hue) != (1.0, 1.0, 1.0, 0.0):
        image = np.asarray(cv2.transform(image, color_matrix(params, _mean_gray(image))), dtype=np.uint8)
    if params.cutout[2]:
        image = image.copy()
        image[cutout_box(params.cutout, *image.shape[:2])] = np.rint(cv2.mean(image)[:3])
    return image


def crop_and_transform(
    params: AugmentParams, image: NDArray[np.uint8], box: CropBox, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Crop a box of an image (h, w, 3) or a mask (h, w), resize it to (height, width) and warp it.

    Pixels outside the box are padded as if it were cropped first.
    """
    if not single_interpolation(params, box, size):
        return apply_geometric(params, resized_crop(image, box, size))
    matrix = affine_matrix(params, *size) @ crop_to_size_matrix(box, size)
    return warp_affine(params, image[box.slices()], matrix, size)


def single_interpolation(params: AugmentParams, box: CropBox, size: tuple[int, int]) -> bool:
    """Return whether resize and warp are joined into one interpolation.

    This is so if the warp interpolates and the box shrinks by at most ``MAX_DOWNSCALE``. A resize without warp stays
    as in prediction, and so does the resize of a box inside a parent box, as in its paper.
    """
    downscale = max(box.height / size[0], box.width / size[1])
    return needs_interpolation(params) and box.parent is None and downscale <= MAX_DOWNSCALE


def needs_interpolation(params: AugmentParams) -> bool:
    """Return whether pixels are mapped between pixels, that is by more than right angles and flips."""
    return bool(params.rotation) or params.scale != (1.0, 1.0) or params.translation != (0.0, 0.0)


def warp_affine(
    params: AugmentParams, image: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Warp an image to (height, width) with OpenCV's 2 by 3 matrix from its pixels to those of the output."""
    interpolated = needs_interpolation(params)
    # OpenCV interpolates four channels in half the time of three, with the same values.
    padded = interpolated and image.shape[2:] == (3,)
    warped = cv2.warpAffine(
        cv2.cvtColor(image, cv2.COLOR_RGB2RGBA) if padded else image,
        matrix,
        (size[1], size[0]),
        flags=cv2.INTER_LINEAR if interpolated else cv2.INTER_NEAREST,  # faster, and exact for integer shifts
        borderMode=PADDING_MODES[params.padding_mode],
    )
    return np.asarray(cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB) if padded else warped, dtype=np.uint8)


def affine_matrix(params: AugmentParams, height: int, width: int) -> NDArray[np.float64]:
    """Return the 2 by 3 matrix of scale, rotation and translation about the image center, then rot90 and flips."""
    cos, sin = math.cos(math.radians(params.rotation)), math.sin(math.radians(params.rotation))
    scale_y, scale_x = params.scale
    shift_x, shift_y = params.translation[1] * width, params.translation[0] * height
    matrix = np.array([[scale_x * cos, scale_y * sin, shift_x], [-scale_x * sin, scale_y * cos, shift_y]])
    for _ in range(params.rot90 if height == width else params.rot90 // 2 * 2):
        matrix = np.array([matrix[1], -matrix[0]])  # counterclockwise, as y points down
    matrix *= [[-1 if flipped else 1] for flipped in params.flips]
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix[:, 2] += center - matrix[:, :2] @ center
    return matrix


def crop_to_size_matrix(box: CropBox, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the 3 by 3 matrix from pixels of a box, relative to its corner, to those of its resized crop."""
    scale_y, scale_x = size[0] / box.height, size[1] / box.width
    return np.array([[scale_x, 0, (scale_x - 1) / 2], [0, scale_y, (scale_y - 1) / 2], [0, 0, 1]])


def color_matrix(params: AugmentParams, mean_gray: float) -> NDArray[np.float64]:
    """Return brightness, contrast about the mean gray level, saturation and hue, in this order, as a 3 by 4 matrix."""
    saturation = params.saturation * _IDENTITY + (1 - params.saturation) * _LUMA_MATRIX
    color = _hue_matrix(params.hue) @ saturation
    matrix = np.empty((3, 4))
    matrix[:, :3] = params.brightness * params.contrast * color
    matrix[:, 3] = (1 - params.contrast) * mean_gray * params.brightness * color.sum(axis=1)
    return matrix


def cutout_box(cutout: tuple[float, float, float], height: int, width: int) -> tuple[slice, slice]:
    """Return the rows and columns of the cutout square, clipped to the image."""
    side = round(cutout[2] * min(height, width))
    top, left = round(cutout[0] * height - side / 2), round(cutout[1] * width - side / 2)
    return slice(max(0, top), max(0, top + side)), slice(max(0, left), max(0, left + side))


def _mean_gray(image: NDArray[np.uint8]) -> float:
    red, green, blue, _ = cv2.mean(image)
    return LUMA_WEIGHTS[0] * red + LUMA_WEIGHTS[1] * green + LUMA_WEIGHTS[2] * blue


def _hue_matrix(fraction: float) -> NDArray[np.float64]:
    """Return the rotation of the color cube about its gray diagonal (Rodrigues' formula).

    The hue of HSV is not a linear map; this is. Both permute the channels at a third of a turn. In between, this
    preserves the mean of the channels and HSV their maximum, so that colors differ only in brightness.
    """
    cos, sin = math.cos(2 * math.pi * fraction), math.sin(2 * math.pi * fraction)
    return cos * _IDENTITY + sin * _HUE_GENERATOR + (1 - cos) / 3
