"""One picture for one image: the image, its maps beside it, the scores in words."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy import ndarray
from PIL import Image

from lesionlens.atomic import replacing
from lesionlens.evaluation.wording import readable
from lesionlens.models.bundle import RESEARCH_USE
from lesionlens.report.pictures import TITLES

SMALL_PRINT = {"fontsize": 7.5, "color": "0.3"}


def panel(
    image: UInt8[ndarray, "h w 3"],
    overlays: Mapping[str, UInt8[ndarray, "h w 3"]],
    *,
    name: str,
    scores: Mapping[str, float],
    label: str = "",
    target: str = "",
    dpi: int = 110,
) -> UInt8[ndarray, "panel_h panel_w 3"]:
    """Draw image and overlays in one row under a line of words.

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
    target
        Class that CAM and Grad-CAM explain, if any.
    dpi
        Pixels an inch.
    """
    tiles = {"image": image, **overlays}
    tile = 2.3  # inches
    size = (tile * len(tiles) + 0.3, tile * image.shape[0] / image.shape[1] + 1.45)
    figure = Figure(figsize=size, dpi=dpi, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    for place, (key, shown) in enumerate(tiles.items()):
        axes = figure.add_axes((
            (0.15 + tile * place + 0.04) / size[0], 0.5 / size[1],
            (tile - 0.08) / size[0], (size[1] - 1.45) / size[1],
        ))  # fmt: skip
        axes.imshow(shown, interpolation="lanczos", aspect="auto")
        axes.set_axis_off()
        axes.set_title(TITLES.get(key, key), fontsize=9, pad=4)
    for words, below, style in (
        (_short(name), 0.12, {"fontsize": 11, "weight": "bold"}),
        (_verdict(scores, label), 0.36, {"fontsize": 9, "linespacing": 1.35}),
        (_legend(overlays, target), size[1] - 0.42, SMALL_PRINT),
        (RESEARCH_USE, size[1] - 0.24, SMALL_PRINT),
    ):
        figure.text(0.19 / size[0], 1 - below / size[1], words, va="top", parse_math=False, **style)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def write_png(path: Path, image: UInt8[ndarray, "h w 3"]) -> Path:
    """Write an image atomically, and give its path.

    Raises
    ------
    RunError
        The folder cannot be written.
    """
    with replacing(path) as part:
        Image.fromarray(image).save(part, format="PNG", optimize=True)
    return path


def _short(name: str, limit: int = 40) -> str:
    return name if len(name) <= limit else f"{name[: limit // 2 - 1]}…{name[-limit // 2 :]}"


def _verdict(scores: Mapping[str, float], label: str) -> str:
    highest = sorted(scores.items(), key=lambda item: -item[1])[:3]
    said = ", ".join(f"{readable(key)} {score:.2f}" for key, score in highest)
    return f"model score: {said}" + (f"\nlabelled: {readable(label)}" if label else "")


def _legend(overlays: Mapping[str, ndarray], target: str) -> str:
    if not overlays:
        return ""
    explained = f"; CAM and Grad-CAM: for {readable(target)}" if target else ""
    return f"no colour: low, yellow: high; each map is scaled by itself{explained}"
