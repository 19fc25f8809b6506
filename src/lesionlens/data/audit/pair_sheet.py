"""Pairs of copies on one sheet of A4, for eyes to judge."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from lesionlens.atomic import replacing
from lesionlens.data.audit.copies import Copy, Place
from lesionlens.data.audit.report import NOTICE
from lesionlens.data.images import read_rgb

ACROSS, DOWN = 3, 7
_A4 = (8.27, 11.69)  # inches
_MARGINS = (0.04, 0.03, 0.92, 0.94)  # left, bottom, width, height, as printers need them
_SIDE, _GAP = 300, 8  # pixels of an image on the sheet, and between the two
_ORDER = ("across parts", "across data sets", "within a data set")


def write_pair_sheet(pairs: Sequence[Copy], file: Path) -> None:
    """Draw the first 21 pairs, those across parts first, as a PNG of one page; no pair, no file.

    The images are shown upright as they are in their files, each squeezed into a square.
    """
    if not pairs:
        return
    ordered = sorted(pairs, key=lambda pair: (_ORDER.index(pair.where), -pair.likeness))
    shown = ordered[: ACROSS * DOWN]
    figure = Figure(figsize=_A4, dpi=200, layout=ConstrainedLayoutEngine(rect=_MARGINS))
    told = f"{len(shown)} of {len(pairs)} pairs" if len(shown) < len(pairs) else "all pairs"
    figure.suptitle(f"Files that show the same photograph: {told}. {NOTICE}", fontsize=9, y=0.975)
    for number, pair in enumerate(shown, start=1):
        axes = figure.add_subplot(DOWN, ACROSS, number)
        axes.set_axis_off()
        axes.imshow(np.hstack([_square(pair.first), _between(), _square(pair.second)]))
        axes.set_title(_caption(pair), fontsize=5.5, pad=3)
    with replacing(file) as part:
        figure.savefig(part, format="png")


def _square(place: Place) -> NDArray[np.uint8]:
    image = read_rgb(Path(place.path), shorter_side=_SIDE)
    return np.asarray(cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _between() -> NDArray[np.uint8]:
    return np.full((_SIDE, _GAP, 3), 255, dtype=np.uint8)


def _caption(pair: Copy) -> str:
    likeness = "same bytes" if pair.kind == "exact" else f"likeness {pair.likeness:.2f}"
    return f"{pair.where}, {likeness}\n{pair.first}\n{pair.second}"
