"""The weights of an image's crops as frames around them.

After figure 4 of Gessert et al. 2019: the brighter a crop's border, the heavier the crop. Here it is thicker too, lies
above lighter ones, and has the weight printed at its first corner.
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
MIN_SIZE_FOR_LABELS = 480  # pixels of the longer side: numbers in a smaller picture cannot be read


def draw_crop_frames(
    image: UInt8[ndarray, "h w 3"], boxes: Sequence[CropBox], weights: Float[ndarray, " n"]
) -> UInt8[ndarray, "h w 3"]:
    """Draw a frame around each crop, coloured by its weight between the image's lightest and heaviest crop.

    Frames whose edges would lie upon one another are drawn one inside the other. The image turns half grey, so that
    no colour of skin is taken for one of a frame.

    Parameters
    ----------
    image
        RGB, (h, w, 3).
    boxes
        Where each of the n crops lies in it.
    weights
        Of the crops.

    Returns
    -------
    ndarray
        RGB, (h, w, 3).

    Raises
    ------
    ModelError
        A weight is not finite.
    """
    heavy = min_max_normalize(weights[None])[0]
    longer = max(image.shape[:2])
    line = max(1, round(longer / 300))  # pixels of the thinnest line
    levels = nest_boxes(boxes, tolerance=6 * line)
    # the innermost frame keeps two thirds of its crop's side, however many overlap
    step = min(5 * line, min(min(box.height, box.width) for box in boxes) // (6 * max(1, *levels)))
    inset = [_inset(box, step * level) for box, level in zip(boxes, levels, strict=True)]
    picture = Image.fromarray(np.rint((image + image.mean(axis=2, keepdims=True)) / 2).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    order = np.argsort(heavy, kind="stable")
    for crop in order:
        _draw_frame(
            draw,
            inset[crop],
            _weight_color(heavy[crop]),
            outline_width=line,
            frame_width=round(line * (1 + 2 * heavy[crop])),
        )
    if longer >= MIN_SIZE_FOR_LABELS:
        font = ImageFont.truetype(_font_path(), max(10, round(longer / 36)))
        for crop in order:
            _draw_label(
                draw, _inset(inset[crop], line), f"{weights[crop]:.2f}", font, _weight_color(heavy[crop])
            )
    return np.asarray(picture)


def nest_boxes(boxes: Sequence[CropBox], *, tolerance: int) -> list[int]:
    """Say how far inside its box each frame goes, 0 or more, so that no two share a part of an edge.

    Parameters
    ----------
    boxes
        The crops.
    tolerance
        Pixels within which two lines are taken for one.

    Examples
    --------
    >>> nest_boxes([CropBox(0, 0, 9, 9), CropBox(0, 5, 9, 9), CropBox(0, 10, 9, 9)], tolerance=2)
    [0, 1, 0]
    """
    levels: list[int] = []
    for number, box in enumerate(boxes):
        taken = {levels[other] for other in range(number) if _edges_coincide(box, boxes[other], tolerance)}
        levels.append(min(set(range(number + 1)) - taken))
    return levels


def _edges_coincide(a: CropBox, b: CropBox, tolerance: int) -> bool:
    """Whether two tops, bottoms, left or right sides lie together; a top beside a bottom parts when both go inside."""
    beside = a.left < b.left + b.width and b.left < a.left + a.width
    level = a.top < b.top + b.height and b.top < a.top + a.height
    flat = abs(a.top - b.top) < tolerance or abs(a.top + a.height - b.top - b.height) < tolerance
    upright = abs(a.left - b.left) < tolerance or abs(a.left + a.width - b.left - b.width) < tolerance
    return (beside and flat) or (level and upright)


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
    """Draw dark, colour, dark from the outside in: seen on any skin."""
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
    """Print words on a dark ground at the first corner, in a paler tone of the frame."""
    pale = tuple((255 + shade) // 2 for shade in color)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    pad = max(2, round(font.size / 5))
    ground = (box.left, box.top, box.left + right - left + 2 * pad, box.top + bottom - top + 2 * pad)
    draw.rectangle(ground, fill=FRAME_OUTLINE_COLOR)
    draw.text((box.left + pad - left, box.top + pad - top), text, font=font, fill=pale)


def _weight_color(weight: float) -> tuple[int, int, int]:
    # the darkest quarter of the colours could not be told from the outline
    red, green, blue, _ = colormaps[COLORMAP](0.25 + 0.75 * weight, bytes=True)
    return int(red), int(green), int(blue)


def _font_path() -> str:
    """Matplotlib brings a font that is the same on every machine."""
    return str(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf"))
