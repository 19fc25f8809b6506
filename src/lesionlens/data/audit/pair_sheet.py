"""Pairs of copies on one sheet of A4, for eyes to judge."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from lesionlens.atomic import atomic_write
from lesionlens.data.audit.copies import DuplicateFinding, ImageRef
from lesionlens.data.audit.report import RESEARCH_USE_NOTICE
from lesionlens.data.images import read_rgb

PAIRS_PER_ROW, ROWS_PER_PAGE = 3, 7
_A4 = (8.27, 11.69)  # inches
_MARGINS = (0.04, 0.03, 0.92, 0.94)  # left, bottom, width, height, as printers need them
_IMAGE_SIDE, _PAIR_GAP = 300, 8  # pixels of an image on the sheet, and between the two
_SCOPE_ORDER = ("across parts", "across data sets", "within a data set")


def write_duplicate_contact_sheet(pairs: Sequence[DuplicateFinding], file: Path) -> None:
    """Draw the first 21 pairs, those across parts first, as a PNG of one page; no pair, no file.

    The images are shown upright as they are in their files, each squeezed into a square.
    """
    if not pairs:
        return
    ordered = sorted(pairs, key=lambda pair: (_SCOPE_ORDER.index(pair.scope), -pair.similarity))
    shown = ordered[: PAIRS_PER_ROW * ROWS_PER_PAGE]
    figure = Figure(figsize=_A4, dpi=200, layout=ConstrainedLayoutEngine(rect=_MARGINS))
    told = f"{len(shown)} of {len(pairs)} pairs" if len(shown) < len(pairs) else "all pairs"
    figure.suptitle(f"Files that show the same photograph: {told}. {RESEARCH_USE_NOTICE}", fontsize=9, y=0.975)
    for number, pair in enumerate(shown, start=1):
        axes = figure.add_subplot(ROWS_PER_PAGE, PAIRS_PER_ROW, number)
        axes.set_axis_off()
        axes.imshow(np.hstack([_load_square(pair.first), _blank_gap(), _load_square(pair.second)]))
        axes.set_title(_caption(pair), fontsize=5.5, pad=3)
    with atomic_write(file) as part:
        figure.savefig(part, format="png")


def _load_square(image_ref: ImageRef) -> NDArray[np.uint8]:
    image = read_rgb(Path(image_ref.path), max_short_side=_IMAGE_SIDE)
    return np.asarray(cv2.resize(image, (_IMAGE_SIDE, _IMAGE_SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _blank_gap() -> NDArray[np.uint8]:
    return np.full((_IMAGE_SIDE, _PAIR_GAP, 3), 255, dtype=np.uint8)


def _caption(pair: DuplicateFinding) -> str:
    likeness = "same bytes" if pair.kind == "exact" else f"likeness {pair.similarity:.2f}"
    return f"{pair.scope}, {likeness}\n{pair.first}\n{pair.second}"
