"""Weights of the crops of an image, shown as frames around the crops.

As in figure 4 of Gessert et al. 2019, the frame of a crop is brighter the higher its weight. Here it is also thicker,
is above frames of lower weight, and shows the weight in its top-left corner.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib import colormaps
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont

from lesionlens.explanation.overlay import COLORMAP, min_max_normalize
from lesionlens.imaging.boxes import CropBox

FRAME_OUTLINE_COLOR = (16, 16, 16)
MIN_SIZE_FOR_LABELS = 480  # pixels of the longer side: labels would not be readable in smaller images


def draw_crop_frames(
    image: UInt8[ndarray, "h w 3"], boxes: Sequence[CropBox], weights: Float[ndarray, " n"]
) -> UInt8[ndarray, "h w 3"]:
    """Draw a frame around each crop, colored by its weight relative to the other crops of the image.

    Frames whose edges would coincide are nested. The image is desaturated by half, so that skin is not confused with
    the color of a frame.

    Parameters
    ----------
    image
        RGB image, (h, w, 3).
    boxes
        Box of each of the n crops, in pixels of the image.
    weights
        Weight of each crop, (n,).

    Returns
    -------
    ndarray
        RGB image, (h, w, 3).

    Raises
    ------
    ModelError
        A weight is not finite.
    """
    normalized = min_max_normalize(weights[None])[0]
    longer_side = max(image.shape[:2])
    line = max(1, round(longer_side / 300))  # pixels of the thinnest line
    levels = nest_boxes(boxes, tolerance=6 * line)
    # the side of the innermost frame is at least two thirds of that of its crop, however many overlap
    step = min(5 * line, min(min(box.height, box.width) for box in boxes) // (6 * max(1, *levels)))
    inset = [_inset(box, step * level) for box, level in zip(boxes, levels, strict=True)]
    canvas = Image.fromarray(np.rint((image + image.mean(axis=2, keepdims=True)) / 2).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    order = np.argsort(normalized, kind="stable")
    for crop in order:
        _draw_frame(
            draw,
            inset[crop],
            _weight_color(normalized[crop]),
            outline_width=line,
            frame_width=round(line * (1 + 2 * normalized[crop])),
        )
    if longer_side >= MIN_SIZE_FOR_LABELS:
        font = ImageFont.truetype(_font_path(), max(10, round(longer_side / 36)))
        for crop in order:
            _draw_label(
                draw, _inset(inset[crop], line), f"{weights[crop]:.2f}", font, _weight_color(normalized[crop])
            )
    return np.asarray(canvas)


def nest_boxes(boxes: Sequence[CropBox], *, tolerance: int) -> list[int]:
    """Return the nesting level of each frame, 0 or more, so that no edges of two frames coincide.

    Parameters
    ----------
    boxes
        Boxes of the crops.
    tolerance
        Distance in pixels below which two edges coincide.

    Examples
    --------
    >>> nest_boxes([CropBox(0, 0, 9, 9), CropBox(0, 5, 9, 9), CropBox(0, 10, 9, 9)], tolerance=2)
    [0, 1, 0]
    """
    levels: list[int] = []
    for number, box in enumerate(boxes):
        used_levels = {levels[n] for n in range(number) if _edges_coincide(box, boxes[n], tolerance)}
        levels.append(min(set(range(number + 1)) - used_levels))
    return levels


def _edges_coincide(a: CropBox, b: CropBox, tolerance: int) -> bool:
    """Return whether two tops, bottoms, left or right edges coincide; nesting separates a top from a bottom."""
    columns_overlap = a.left < b.left + b.width and b.left < a.left + a.width
    rows_overlap = a.top < b.top + b.height and b.top < a.top + a.height
    horizontal = abs(a.top - b.top) < tolerance or abs(a.top + a.height - b.top - b.height) < tolerance
    vertical = abs(a.left - b.left) < tolerance or abs(a.left + a.width - b.left - b.width) < tolerance
    return (columns_overlap and horizontal) or (rows_overlap and vertical)


def _inset(box: CropBox, margin: int) -> CropBox:
    margin = min(margin, int(box.height - 1) // 2, int(box.width - 1) // 2)
    return CropBox(box.top + margin, box.left + margin, box.height - 2 * margin, box.width - 2 * margin)


def _draw_frame(
    draw: ImageDraw.ImageDraw,
    box: CropBox,
    color: tuple[int, int, int],
    *,
    outline_width: int,
    frame_width: int,
) -> None:
    """Draw a colored frame between two dark outlines, visible on any skin."""
    for frame, shade, width in (
        (box, FRAME_OUTLINE_COLOR, frame_width + 2 * outline_width),
        (_inset(box, outline_width), color, frame_width),
    ):
        corners = (frame.left, frame.top, frame.left + frame.width - 1, frame.top + frame.height - 1)
        draw.rectangle(corners, outline=shade, width=width)


def _draw_label(
    draw: ImageDraw.ImageDraw,
    box: CropBox,
    text: str,
    font: ImageFont.FreeTypeFont,
    color: tuple[int, int, int],
) -> None:
    """Write text on a dark background in the top-left corner, in a lighter tone of the frame."""
    pale = tuple((255 + shade) // 2 for shade in color)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    pad = max(2, round(font.size / 5))
    background = (box.left, box.top, box.left + right - left + 2 * pad, box.top + bottom - top + 2 * pad)
    draw.rectangle(background, fill=FRAME_OUTLINE_COLOR)
    draw.text((box.left + pad - left, box.top + pad - top), text, font=font, fill=pale)


def _weight_color(weight: float) -> tuple[int, int, int]:
    # the darkest quarter of the colormap would be too similar to the outline
    red, green, blue, _ = colormaps[COLORMAP](0.25 + 0.75 * weight, bytes=True)
    return int(red), int(green), int(blue)


def _font_path() -> str:
    """Return the path of Matplotlib's bundled font, which is the same on every machine."""
    return str(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf"))
