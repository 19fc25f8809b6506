"""Augmentation as data: a change is drawn once, then applied as one warp and one colour matrix."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from lesionlens.crops.box import Box

GREY = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601, as in Pillow


def resized_crop(image: NDArray[np.uint8], box: Box, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Cut a box and resize it to (height, width), bilinear with antialiasing.

    Pillow's resampling, which torchvision's antialiased resize reproduces. The result is a copy of its own. Of a box
    in a frame, what lies beside it in the frame has its share, as if the frame were resized and then cut.
    """
    wanted, how = (size[1], size[0]), Image.Resampling.BILINEAR
    if box.frame is not None:
        top, left = box.top - box.frame.top, box.left - box.frame.left
        edges = (left, top, left + box.width, top + box.height)
        frame = Image.fromarray(np.ascontiguousarray(image[box.frame.pixels()]))
        return np.array(frame.resize(wanted, how, box=edges))
    part = image[box.pixels()]
    if part.shape[:2] == size:
        return np.array(part)
    return np.array(Image.fromarray(np.ascontiguousarray(part)).resize(wanted, how))


@dataclass(frozen=True)
class Change:
    """One draw: what is done to one image."""

    angle: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    flips: tuple[bool, bool] = (False, False)
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0


class Augmentation(BaseModel):
    """How far an image may be changed; every value is a half-width around no change.

    Attributes
    ----------
    rotation
        Degrees to either side.
    zoom
        Share of the width and, drawn apart, of the height.
    horizontal_flip, vertical_flip
        Probabilities.
    brightness, contrast, saturation
        Shares, as in torchvision's ColorJitter.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rotation: float = Field(default=0.0, ge=0, le=180)
    zoom: float = Field(default=0.0, ge=0, lt=1)
    horizontal_flip: float = Field(default=0.5, ge=0, le=1)
    vertical_flip: float = Field(default=0.5, ge=0, le=1)
    brightness: float = Field(default=0.0, ge=0, lt=1)
    contrast: float = Field(default=0.0, ge=0, lt=1)
    saturation: float = Field(default=0.0, ge=0, lt=1)

    def draw(self, rng: np.random.Generator) -> Change:
        """Draw one change."""

        def around(centre: float, width: float) -> float:
            return float(rng.uniform(centre - width, centre + width))

        return Change(
            angle=around(0, self.rotation),
            zoom=(around(1, self.zoom), around(1, self.zoom)),
            flips=(bool(rng.random() < self.horizontal_flip), bool(rng.random() < self.vertical_flip)),
            brightness=around(1, self.brightness),
            contrast=around(1, self.contrast),
            saturation=around(1, self.saturation),
        )


def apply(change: Change, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Apply a change to an image (h, w, 3): one warp, one colour matrix.

    What a rotation brings in from outside is the image mirrored at its border.
    """
    height, width = image.shape[:2]
    if change.angle or change.zoom != (1.0, 1.0):
        matrix = _warp(change, height, width)
        warped = cv2.warpAffine(
            image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        image = np.asarray(warped, dtype=np.uint8)
    if change.flips[0]:
        image = image[:, ::-1]
    if change.flips[1]:
        image = image[::-1]
    if (change.brightness, change.contrast, change.saturation) != (1.0, 1.0, 1.0):
        image = np.asarray(
            cv2.transform(np.ascontiguousarray(image), _colours(change, image)), dtype=np.uint8
        )
    return np.array(image, order="C")


def _warp(change: Change, height: int, width: int) -> NDArray[np.float64]:
    """Rotation after zoom about the middle of the pixel grid, as OpenCV's 2 by 3 matrix."""
    cos, sin = math.cos(math.radians(change.angle)), math.sin(math.radians(change.angle))
    linear = np.array([[cos, sin], [-sin, cos]]) @ np.diag([change.zoom[1], change.zoom[0]])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.column_stack([linear, middle - linear @ middle])


def _colours(change: Change, image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Brightness, then contrast about the mean grey, then saturation, as one 3 by 4 matrix."""
    grey = np.tile(np.array(GREY), (3, 1))
    saturation = change.saturation * np.eye(3) + (1 - change.saturation) * grey
    scale = change.brightness * change.contrast
    mean = float(np.array(GREY) @ np.asarray(cv2.mean(np.ascontiguousarray(image))[:3])) * change.brightness
    shift = np.full((3, 1), (1 - change.contrast) * mean)
    return np.hstack([scale * saturation, saturation @ shift])
