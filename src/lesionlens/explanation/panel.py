"""Panel of an image: the image next to its overlays, with name, scores and legend."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy import ndarray
from PIL import Image

from lesionlens.core.figure_style import figure_style, place_axes, place_text
from lesionlens.core.fileio import atomic_write
from lesionlens.core.fonts import LINE_SPACING, text_height, wrap_text
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.formatting import display_name
from lesionlens.explanation.map_controls import CENTER
from lesionlens.explanation.score_drop import REMOVED_FRACTION, ScoreDrop
from lesionlens.models.map_titles import RAW_SUFFIX, map_title

MAX_PANEL_COLUMNS = 6  # images per row, so that a panel fits on a page
PANEL_IMAGE_WIDTH = 2.3  # inches
PANEL_MARGIN, PANEL_GAP = 0.19, 0.08  # inches, at the left and right edge, and between images
TILE_WIDTH = PANEL_IMAGE_WIDTH - PANEL_GAP
NAME_SIZE, SCORE_SIZE, TITLE_SIZE, LEGEND_SIZE = 11.0, 9.0, 8.5, 7.5  # points, of fonts


def panel(
    image: UInt8[ndarray, "h w 3"],
    overlays: Mapping[str, UInt8[ndarray, "h w 3"]],
    *,
    name: str,
    scores: Mapping[str, float],
    label: str = "",
    target_class: str = "",
    score_drops: Mapping[str, ScoreDrop] | None = None,
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
    score_drops
        Score of this class without the pixels that each map marks most, from ``compute_score_drops``.
    dpi
        Resolution in pixels per inch, default 110.

    Returns
    -------
    ndarray
        RGB image of the panel.
    """
    figure = panel_figure(
        image, overlays, name=name, scores=scores, label=label, target_class=target_class,
        score_drops=score_drops or {}, dpi=dpi,
    )  # fmt: skip
    canvas = FigureCanvasAgg(figure)
    with figure_style():
        canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


@figure_style()
def panel_figure(
    image: UInt8[ndarray, "h w 3"],
    overlays: Mapping[str, UInt8[ndarray, "h w 3"]],
    *,
    name: str,
    scores: Mapping[str, float],
    label: str,
    target_class: str,
    score_drops: Mapping[str, ScoreDrop],
    dpi: int,
) -> Figure:
    """Return the figure of a panel, with the parameters of ``panel``."""
    tiles = {"": image, **overlays}
    columns = min(len(tiles), MAX_PANEL_COLUMNS)
    width = PANEL_IMAGE_WIDTH * columns + 2 * PANEL_MARGIN - PANEL_GAP
    texts = _header_texts(name, scores, label, width=width - 2 * PANEL_MARGIN)
    header = PANEL_GAP + sum(text.height for text in texts)
    titles = [_tile_title(key, score_drops) for key in tiles]
    title_height = max(text_height(title, TITLE_SIZE) for title in titles) + PANEL_GAP
    image_height = PANEL_IMAGE_WIDTH * image.shape[0] / image.shape[1]
    footer_top = header + (title_height + image_height) * -(-len(tiles) // columns) + PANEL_GAP / 2
    legend = "\n".join(
        filter(
            None,
            (_legend(overlays, target_class), _drop_legend(score_drops, target_class), RESEARCH_USE_NOTICE),
        )
    )
    footer = _PanelText(wrap_text(legend, width - 2 * PANEL_MARGIN, LEGEND_SIZE), LEGEND_SIZE, color="0.3")
    figure = Figure(figsize=(width, footer_top + footer.height), dpi=dpi, facecolor="white")
    _place_texts(figure, texts, top=PANEL_GAP)
    _place_texts(figure, [footer], top=footer_top)
    for number, (tile, title) in enumerate(zip(tiles.values(), titles, strict=True)):
        row, column = divmod(number, columns)
        left = PANEL_MARGIN + PANEL_IMAGE_WIDTH * column
        top = header + title_height + (title_height + image_height) * row
        axes = place_axes(figure, left=left, top=top, width=TILE_WIDTH, height=image_height - PANEL_GAP)
        _show_tile(axes, tile, title)
    return figure


def _tile_title(key: str, score_drops: Mapping[str, ScoreDrop]) -> str:
    title = wrap_text(map_title(key), TILE_WIDTH, TITLE_SIZE, max_lines=2)
    return f"{title}\nscore {score_drops[key]}" if key in score_drops else title


def _drop_legend(score_drops: Mapping[str, ScoreDrop], target_class: str) -> str:
    if CENTER not in score_drops:
        return ""
    return (
        f"score: of {display_name(target_class)}, without the {100 * REMOVED_FRACTION:g} % of pixels that the map "
        f"marks most (blurred); without those nearest the center: {score_drops[CENTER]}"
    )


class _PanelText(NamedTuple):
    """Wrapped text with its font size in points, weight and color."""

    text: str
    size: float
    weight: str = "normal"
    color: str = "black"

    @property
    def height(self) -> float:
        """Height with the distance to what is below, in inches."""
        return text_height(self.text, self.size) + PANEL_GAP


def _header_texts(name: str, scores: Mapping[str, float], label: str, *, width: float) -> list[_PanelText]:
    """Return the name of the image, in one line, and its scores."""
    return [
        _PanelText(wrap_text(name, width, NAME_SIZE, bold=True, max_lines=1), NAME_SIZE, weight="bold"),
        _PanelText(wrap_text(_prediction_label(scores, label), width, SCORE_SIZE), SCORE_SIZE),
    ]


def _place_texts(figure: Figure, texts: Sequence[_PanelText], *, top: float) -> None:
    for text in texts:
        style = {"fontsize": text.size, "fontweight": text.weight, "color": text.color}
        place_text(figure, text.text, left=PANEL_MARGIN, top=top, **style)
        top += text.height


def _show_tile(axes: Axes, tile: UInt8[ndarray, "h w 3"], title: str) -> None:
    axes.imshow(tile, interpolation="lanczos", aspect="auto")
    axes.set_axis_off()
    axes.set_title(title, fontsize=TITLE_SIZE, pad=4, linespacing=LINE_SPACING)


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
    if any(name.endswith(RAW_SUFFIX) for name in overlays):
        entries.append("map only: violet: low, yellow: high")
    if crop_weights:
        entries.append("frames: brighter and thicker for crops of higher weight")
    if target_class and any(name.endswith(("cam", "campp")) for name in overlays):
        entries.append(f"CAM methods: for {display_name(target_class)}")
    return "; ".join(entries)
