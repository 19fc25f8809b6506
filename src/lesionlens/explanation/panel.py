"""Panel of an image: the image next to its overlays, with name, scores and legend."""

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

MAX_PANEL_COLUMNS = 6  # images per row, so that a panel fits on a page
PANEL_IMAGE_WIDTH = 2.3  # inches
PANEL_TITLE_HEIGHT = 0.25  # inches, of the title above each image
PANEL_HEADER_HEIGHT = 0.7  # inches, of name and scores
MAX_NAME_LENGTH = 40  # characters of the image's name
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
    """Render an image and its overlays side by side, in rows of six, below name and scores.

    Parameters
    ----------
    image
        RGB image, (h, w, 3).
    overlays
        Overlay of each map by name.
    name
        Name of the image.
    scores
        Model score of each class; the three highest are shown.
    label
        True class of the image, if known.
    target_class
        Class that CAM and Grad-CAM explain, if any.
    dpi
        Resolution in pixels per inch, default 110.

    Returns
    -------
    ndarray
        RGB image of the panel.
    """
    tiles = {"": image, **overlays}
    columns = min(len(tiles), MAX_PANEL_COLUMNS)
    width = PANEL_IMAGE_WIDTH * columns + 0.3
    row_height = PANEL_TITLE_HEIGHT + PANEL_IMAGE_WIDTH * image.shape[0] / image.shape[1]
    footer_top = PANEL_HEADER_HEIGHT + row_height * -(-len(tiles) // columns)
    footer = [*textwrap.wrap(_legend(overlays, target_class), round(19 * width)), RESEARCH_USE_NOTICE]
    height = footer_top + 0.15 * len(footer) + 0.12
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    for number, (key, tile) in enumerate(tiles.items()):
        row, column = divmod(number, columns)
        left, bottom = 0.19 + PANEL_IMAGE_WIDTH * column, PANEL_HEADER_HEIGHT + row_height * (row + 1)
        size = (PANEL_IMAGE_WIDTH - 0.08) / width, (row_height - PANEL_TITLE_HEIGHT) / height
        _add_tile(figure, (left / width, 1 - bottom / height, *size), tile, map_title(key))
    for text, below, style in (
        (_shorten(name), 0.12, {"fontsize": 11, "weight": "bold"}),
        (_prediction_label(scores, label), 0.36, {"fontsize": 9, "linespacing": 1.35}),
        ("\n".join(footer), footer_top + 0.07, FOOTER_STYLE),
    ):
        figure.text(0.19 / width, 1 - below / height, text, va="top", parse_math=False, **style)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def _add_tile(
    figure: Figure, rectangle: tuple[float, float, float, float], tile: UInt8[ndarray, "h w 3"], title: str
) -> None:
    axes = figure.add_axes(rectangle)
    axes.imshow(tile, interpolation="lanczos", aspect="auto")
    axes.set_axis_off()
    axes.set_title(title, fontsize=8.5, pad=4)


def write_png(path: Path, image: UInt8[ndarray, "h w 3"]) -> Path:
    """Write an image atomically and return its path.

    Raises
    ------
    RunError
        The directory cannot be written.
    """
    with atomic_write(path) as file:
        Image.fromarray(image).save(file, format="PNG", optimize=True)
    return path


def _shorten(name: str) -> str:
    half = MAX_NAME_LENGTH // 2
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[: half - 1]}…{name[-half:]}"


def _prediction_label(scores: Mapping[str, float], label: str) -> str:
    highest = sorted(scores.items(), key=lambda item: -item[1])[:3]
    listed = ", ".join(f"{display_name(key)} {score:.2f}" for key, score in highest)
    return f"model score: {listed}" + (f"\nlabel: {display_name(label)}" if label else "")


def _legend(overlays: Mapping[str, ndarray], target_class: str) -> str:
    crop_weights = [name for name in overlays if name.endswith("-crops")]
    entries = []
    if len(overlays) > len(crop_weights):
        entries.append(
            "uncolored: low, yellow: high; each map is scaled separately; white: not covered by any crop"
        )
    if crop_weights:
        entries.append("frames: brighter and thicker for crops of higher weight")
    if target_class and any(name.endswith(("cam", "campp")) for name in overlays):
        entries.append(f"CAM methods: for {display_name(target_class)}")
    return "; ".join(entries)
