"""One picture for one image: the image, its maps beside it, the scores in words."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy import ndarray
from PIL import Image

from lesionlens.core.fileio import atomic_write
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.formatting import display_name
from lesionlens.models.map_titles import map_title

MAX_PANEL_COLUMNS = 6  # pictures side by side, so that a panel fits a page
# inches: width of a picture, height of the line above it and of the panel's words
PANEL_IMAGE_WIDTH, PANEL_TITLE_HEIGHT, PANEL_HEADER_HEIGHT = 2.3, 0.25, 0.7
FOOTER_STYLE = {"fontsize": 7.5, "color": "0.3"}


def panel(
    image: UInt8[ndarray, "h w 3"],
    overlays: Mapping[str, UInt8[ndarray, "h w 3"]],
    *,
    name: str,
    scores: Mapping[str, float],
    label: str = "",
    target_class: str = "",
    dpi: int = 110,
) -> UInt8[ndarray, "panel_h panel_w 3"]:
    """Draw image and overlays side by side, in rows of six, under a line of words.

    Parameters
    ----------
    image
        RGB, (h, w, 3).
    overlays
        Map name to image with that map over it.
    name
        Of the image.
    scores
        Model score of each class; the three highest are shown.
    label
        Class that the data set gives, if known.
    target_class
        Class that CAM and Grad-CAM explain, if any.
    dpi
        Pixels an inch.
    """
    tiles = {"": image, **overlays}
    columns = min(len(tiles), MAX_PANEL_COLUMNS)
    rows = -(-len(tiles) // columns)
    width, row = (
        PANEL_IMAGE_WIDTH * columns + 0.3,
        PANEL_TITLE_HEIGHT + PANEL_IMAGE_WIDTH * image.shape[0] / image.shape[1],
    )
    legend = textwrap.wrap(_legend(overlays, target_class), round(19 * width))
    height = PANEL_HEADER_HEIGHT + row * rows + 0.15 * (len(legend) + 1) + 0.12
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    for place, (key, shown) in enumerate(tiles.items()):
        down, across = divmod(place, columns)
        axes = figure.add_axes((
            (0.15 + PANEL_IMAGE_WIDTH * across + 0.04) / width, 1 - (PANEL_HEADER_HEIGHT + row * (down + 1)) / height,
            (PANEL_IMAGE_WIDTH - 0.08) / width, (row - PANEL_TITLE_HEIGHT) / height,
        ))  # fmt: skip
        axes.imshow(shown, interpolation="lanczos", aspect="auto")
        axes.set_axis_off()
        axes.set_title(map_title(key), fontsize=8.5, pad=4)
    for words, below, style in (
        (_shorten(name), 0.12, {"fontsize": 11, "weight": "bold"}),
        (_prediction_label(scores, label), 0.36, {"fontsize": 9, "linespacing": 1.35}),
        ("\n".join([*legend, RESEARCH_USE_NOTICE]), PANEL_HEADER_HEIGHT + row * rows + 0.07, FOOTER_STYLE),
    ):
        figure.text(0.19 / width, 1 - below / height, words, va="top", parse_math=False, **style)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def write_png(path: Path, image: UInt8[ndarray, "h w 3"]) -> Path:
    """Write an image atomically, and give its path.

    Raises
    ------
    RunError
        The folder cannot be written.
    """
    with atomic_write(path) as file:
        Image.fromarray(image).save(file, format="PNG", optimize=True)
    return path


def _shorten(name: str, limit: int = 40) -> str:
    return name if len(name) <= limit else f"{name[: limit // 2 - 1]}…{name[-limit // 2 :]}"


def _prediction_label(scores: Mapping[str, float], label: str) -> str:
    highest = sorted(scores.items(), key=lambda item: -item[1])[:3]
    said = ", ".join(f"{display_name(key)} {score:.2f}" for key, score in highest)
    return f"model score: {said}" + (f"\nlabelled: {display_name(label)}" if label else "")


def _legend(overlays: Mapping[str, ndarray], target_class: str) -> str:
    framed = [name for name in overlays if name.endswith("-crops")]
    said = []
    if len(overlays) > len(framed):
        said.append(
            "no colour: low, yellow: high; each map is scaled by itself; veiled in white: no crop looked there"
        )
    if framed:
        said.append("frames: the brighter and thicker, the heavier the crop")
    if target_class and any(name.endswith(("cam", "campp")) for name in overlays):
        said.append(f"CAM and its kin: for {display_name(target_class)}")
    return "; ".join(said)
