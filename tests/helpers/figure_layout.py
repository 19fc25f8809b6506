"""Check of a figure's layout: no text leaves the figure, overlaps another text or a legend, or covers another panel."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from lesionlens.core.figure_style import figure_style

TOLERANCE = 0.6  # pixels at 100 dpi, by which glyphs may touch
DPI = 100


class Box(NamedTuple):
    """A rendered part: a description, its four corners in pixels, and the axes and the legend that it is part of."""

    name: str
    corners: NDArray[np.float64]
    axes: Axes | None = None
    legend: Legend | None = None


def layout_faults(figure: Figure) -> list[str]:
    """Return a sentence for each text that leaves the figure or overlaps what it should not."""
    with figure_style():
        figure.set_dpi(DPI)
        texts, legends = rendered_texts(figure)
    panels = [
        Box("the panel", _corners(axes.patch.get_window_extent()), axes)
        for axes in figure.axes
        if axes.axison
    ]
    pairs = [
        *combinations_by_bounds(texts, texts),
        *((a, b) for a, b in combinations_by_bounds(texts, legends) if a.legend is not b.legend),
        *((a, b) for a, b in combinations_by_bounds(texts, panels) if a.axes is not b.axes),
        *combinations_by_bounds(legends, panels),
    ]
    outside = [part.name for part in (*texts, *legends) if _is_outside(part, figure.bbox)]
    return [
        *(f"{name} leaves the figure" for name in outside),
        *(f"{a.name} overlaps {b.name}" for a, b in pairs if _overlap(a, b)),
    ]


def combinations_by_bounds(first: Sequence[Box], second: Sequence[Box]) -> Iterator[tuple[Box, Box]]:
    """Yield the pairs of boxes whose upright bounds overlap, which is quick for many; each pair once within a list."""
    if not first or not second:
        return
    (low, high), (other_low, other_high) = map(_bounds, (first, second))
    common = np.minimum(high[:, None], other_high) - np.maximum(low[:, None], other_low)
    overlaps = (common > TOLERANCE).all(axis=2)
    for a, b in np.argwhere(np.triu(overlaps, 1) if first is second else overlaps):
        yield first[a], second[b]


def _bounds(boxes: Sequence[Box]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    corners = np.array([box.corners for box in boxes])
    return corners.min(axis=1), corners.max(axis=1)


def rendered_texts(figure: Figure) -> tuple[list[Box], list[Box]]:
    """Return the texts and legends that Matplotlib renders; ticks outside an axis are not among them."""
    texts: dict[Text, Box] = {}
    legends: dict[Legend, Box] = {}
    draw_text, draw_legend = Text.draw, Legend.draw
    current: list[Legend] = []

    def record_text(text: Text, renderer: RendererBase) -> None:
        draw_text(text, renderer)
        if text.get_visible() and text.get_text().strip():
            owner = current[-1] if current else None
            texts[text] = Box(f"{text.get_text()!r}", _text_corners(text, renderer), text.axes, owner)

    def record_legend(legend: Legend, renderer: RendererBase) -> None:
        current.append(legend)
        draw_legend(legend, renderer)
        current.pop()
        legends[legend] = Box("the legend", _corners(legend.get_window_extent(renderer)), legend.axes, legend)

    with patch.object(Text, "draw", record_text), patch.object(Legend, "draw", record_legend):
        figure.draw_without_rendering()
    return list(texts.values()), list(legends.values())


def _text_corners(text: Text, renderer: RendererBase) -> NDArray[np.float64]:
    """Return the corners of a rotated text: its size when it is not rotated, around the center of its extent."""
    extent = Text.get_window_extent(text, renderer)  # that of an annotation includes its line
    angle = text.get_rotation()
    if angle % 90 == 0:
        return _corners(extent)
    text.set_rotation(0)
    upright = Text.get_window_extent(text, renderer)
    text.set_rotation(angle)
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    center = (extent.p0 + extent.p1) / 2
    return (_corners(upright) - (upright.p0 + upright.p1) / 2) @ np.array(
        [[cosine, sine], [-sine, cosine]]
    ) + center


def _corners(box: Bbox) -> NDArray[np.float64]:
    return np.array([[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1]])


def _is_outside(part: Box, figure: Bbox) -> bool:
    low, high = part.corners.min(axis=0), part.corners.max(axis=0)
    return bool((low < figure.min - TOLERANCE).any() or (high > figure.max + TOLERANCE).any())


def _overlap(a: Box, b: Box) -> bool:
    """Return whether two rectangles overlap: along every normal of a side, by more than the tolerance."""
    return all(
        min((a.corners @ normal).max(), (b.corners @ normal).max())
        - max((a.corners @ normal).min(), (b.corners @ normal).min())
        > TOLERANCE
        for normal in (*_normals(a), *_normals(b))
    )


def _normals(box: Box) -> Iterator[NDArray[np.float64]]:
    for side in (box.corners[1] - box.corners[0], box.corners[2] - box.corners[1]):
        yield np.array([-side[1], side[0]]) / max(1e-9, np.hypot(*side))
