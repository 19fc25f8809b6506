"""Pictures in lines: words at the left of each, small words above each picture."""

import textwrap
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from numpy import ndarray

from lesionlens.core.errors import RunError
from lesionlens.core.tabular import read_table
from lesionlens.datasets.file_layout import lesion_mask_paths
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.table import LesionTable
from lesionlens.evaluation.formatting import display_name
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.imaging.masks import read_mask
from lesionlens.reproduction.figures.base import SMALL_FONT_SIZE, TEXT_COLOR, TINY_FONT_SIZE, PanelRuns
from lesionlens.reproduction.measurements import evaluation_split
from lesionlens.reproduction.planner import RunCell

LABEL_INCHES, FOOTER_INCHES, GAP_INCHES = (
    0.95,
    0.22,
    0.05,
)  # inches: words at the left, at the foot, between pictures
COLORBAR_INCHES = 0.2  # inches: of the colours
CAPTION_LINE_INCHES = 0.095  # inches of a line of small words


class GridCell(NamedTuple):
    """A picture, (h, w, 3), what stands above it, and the mask, (h, w), whose outline is drawn over it."""

    image: ndarray
    caption: str = ""
    mask: ndarray | None = None


class GridRow(NamedTuple):
    """Pictures side by side, and what stands at their left."""

    label: str
    cells: Sequence[GridCell | None]


class ColorScale(NamedTuple):
    """The colours of a figure's maps, and what they go from and to."""

    colormap: Colormap
    min_label: str
    max_label: str


def image_grid_figure(
    rows: Sequence[GridRow], *, width: float = 7.2, scale: ColorScale | None = None
) -> Figure:
    """Lay out lines of pictures, all tiles of the first picture's aspect.

    Parameters
    ----------
    rows
        All of one length.
    width
        Of the figure, inches; few pictures make it narrower.
    scale
        Shown at the foot.
    """
    across = len(rows[0].cells)
    tile = min(1.9, (width - LABEL_INCHES) / across - GAP_INCHES)
    first = next(each for each in rows[0].cells if each is not None).image
    high = tile * min(1.0, first.shape[0] / first.shape[1])
    room = int(tile / 0.05)  # letters that fit above a picture
    above = [CAPTION_LINE_INCHES * _caption_lines(line, room) + 0.06 for line in rows]
    size = (
        LABEL_INCHES + across * (tile + GAP_INCHES) + GAP_INCHES,
        sum(above) + len(rows) * high + FOOTER_INCHES + (COLORBAR_INCHES if scale else 0),
    )
    figure = Figure(figsize=size)
    top = size[1]
    for line, words in zip(rows, above, strict=True):
        top -= words + high
        figure.text(0.05 / size[0], (top + high / 2) / size[1], textwrap.fill(line.label, 15), va="center",
                    fontsize=SMALL_FONT_SIZE, color=TEXT_COLOR, parse_math=False)  # fmt: skip
        for place, each in enumerate(line.cells):
            box = (
                (LABEL_INCHES + place * (tile + GAP_INCHES)) / size[0],
                top / size[1],
                tile / size[0],
                high / size[1],
            )
            draw_cell(figure.add_axes(box), each, max_chars=room)
    if scale is not None:
        _draw_colorbar(figure, scale)
    return figure


def draw_cell(axes: Axes, cell: GridCell | None, *, max_chars: int) -> None:
    """Show one picture with its words and its lesion's outline; nothing where there is none."""
    axes.set_axis_off()
    if cell is None:
        return
    axes.imshow(cell.image, interpolation="lanczos")
    axes.set_title(
        _wrap_text(cell.caption, max_chars),
        fontsize=TINY_FONT_SIZE,
        pad=2,
        color=TEXT_COLOR,
        parse_math=False,
    )
    if cell.mask is not None and 0 < np.count_nonzero(cell.mask) < cell.mask.size:
        inside = (cell.mask > 0).astype(float)
        # white within black is seen on any skin and any colour of a map
        axes.contour(inside, [0.5], colors="black", linewidths=0.9)
        axes.contour(inside, [0.5], colors="white", linewidths=0.45)


def _wrap_text(text: str, max_chars: int) -> str:
    """Break lines that are too long for a picture, but never a word."""
    return "\n".join(textwrap.fill(part, max_chars, break_long_words=False) for part in text.split("\n"))


def _caption_lines(row: GridRow, max_chars: int) -> int:
    return max(
        _wrap_text(each.caption, max_chars).count("\n") + 1 if each and each.caption else 0
        for each in row.cells
    )


def _draw_colorbar(figure: Figure, scale: ColorScale) -> None:
    """Draw the colours at the right of the foot, with words at both ends."""
    width, height = figure.get_size_inches()
    end = width - 0.1 - 0.06 * len(scale.max_label)
    axes = figure.add_axes(((end - 0.8) / width, (FOOTER_INCHES + 0.03) / height, 0.8 / width, 0.08 / height))
    figure.colorbar(ScalarMappable(cmap=scale.colormap), cax=axes, orientation="horizontal", ticks=[])
    axes.set_ylabel(scale.min_label, rotation=0, ha="right", va="center", fontsize=TINY_FONT_SIZE, labelpad=4)
    axes.text(1.05, 0.5, scale.max_label, transform=axes.transAxes, va="center", fontsize=TINY_FONT_SIZE)


MAX_MASKS_READ = 200  # masks that are read to find small and large lesions


class SelectedImage(NamedTuple):
    """An image of a test part, its label in words, what else is known of it, and its lesion mask if there is one."""

    image_id: str
    path: Path
    label: str
    mask: Path | None
    detail: str = ""

    @property
    def caption(self) -> str:
        """What stands above it."""
        return "\n".join(filter(None, (self.label, self.detail)))


class Selection(NamedTuple):
    """The images, and why they are others than was asked for."""

    images: list[SelectedImage]
    notes: tuple[str, ...] = ()


def select_images(panels: Sequence[PanelRuns], strategy: str, count: int) -> Selection:
    """Choose among the images that every panel's first run was tested on, in the order of their names.

    Parameters
    ----------
    strategy
        As ``FigureSpec.image_selection``: ``classes``, ``sizes`` or ``artifacts``; where masks or artifacts
        are not known, classes.

    Raises
    ------
    RunError
        The panels have no test image in common.
    """
    first = panels[0].cells[0]
    common = set.intersection(*(_tested_image_ids(each.cells[0]) for each in panels))
    if not common:
        raise RunError(
            "the runs of the figure's panels have no test image in common, so no line of it would fit"
        )
    source = first.recipe.data
    table = load_table(source.source, classes=source.classes).select(sorted(common))
    everyone = _common_images(table, Path(source.mask_dir) if source.mask_dir else None)
    found_by = _STRATEGIES.get(strategy)
    picked = found_by(everyone, table, count) if found_by else None
    if picked is not None:
        return Selection(picked)
    notes = (f"Images are one of each class in turn: {_MISSING_DATA_NOTES[strategy]}.",) if found_by else ()
    return Selection(select_by_class(everyone, table.classes, count), notes)


def select_by_class(
    images: Sequence[SelectedImage], classes: Sequence[str], count: int
) -> list[SelectedImage]:
    """Take one image of each class in turn."""
    groups = [[each for each in images if each.label == display_name(name)] for name in classes]
    turns = zip_longest(*groups)
    return [each for turn in turns for each in turn if each is not None][:count]


def _select_by_size(
    images: Sequence[SelectedImage], _: LesionTable, count: int
) -> list[SelectedImage] | None:
    """Take the smallest lesions, then the largest, by their share of the image; None where masks do not tell."""
    masked = [each for each in images if each.mask is not None][:MAX_MASKS_READ]
    weighed = [(float(read_mask(each.mask).mean()), each) for each in masked if each.mask is not None]
    ranked = sorted((pair for pair in weighed if pair[0] > 0), key=lambda pair: (pair[0], pair[1].image_id))
    if len(ranked) < 2:
        return None
    half = min(count, len(ranked)) // 2
    taken = [*ranked[:half], *ranked[len(ranked) - min(count, len(ranked)) + half :]]
    return [each._replace(detail=f"lesion {share:.0%}") for share, each in taken]


def _select_by_artifact(
    images: Sequence[SelectedImage], table: LesionTable, count: int
) -> list[SelectedImage] | None:
    """Take an image with each artifact in turn; None where no table tells which there are."""
    told = (table.root if table.root.is_dir() else table.root.parent) / "artifacts.csv"
    if not told.is_file():
        return None
    worn = _artifacts_per_image(told)
    kinds = dict.fromkeys(kind for each in images for kind in worn.get(each.image_id, ()))
    groups = [[each for each in images if kind in worn.get(each.image_id, ())] for kind in kinds]
    turns = dict.fromkeys(each for turn in zip_longest(*groups) for each in turn if each is not None)
    return [each._replace(detail=", ".join(worn[each.image_id])) for each in turns][:count] or None


def _artifacts_per_image(path: Path) -> dict[str, tuple[str, ...]]:
    """Read the artifacts of each image from a table with a column of 0 and 1 for each."""
    sheet = read_table(path)
    kinds = [str(name) for name in sheet if set(sheet[name]) <= {"0", "1"}]
    marks = zip(sheet["image_id"], *(sheet[kind] for kind in kinds), strict=True)
    return {
        image: tuple(display_name(kind) for kind, mark in zip(kinds, own, strict=True) if mark == "1")
        for image, *own in marks
    }


_Strategy = Callable[[Sequence[SelectedImage], LesionTable, int], list[SelectedImage] | None]
_STRATEGIES: dict[str, _Strategy] = {"sizes": _select_by_size, "artifacts": _select_by_artifact}
_MISSING_DATA_NOTES = {
    "sizes": "no masks tell how large lesions are",
    "artifacts": "nothing tells which of these images have artifacts",
}


def _tested_image_ids(cell: RunCell) -> set[str]:
    return set(map(str, read_predictions(cell.run_dir.predictions(evaluation_split(cell))).image_id))


def _common_images(table: LesionTable, masks: Path | None) -> list[SelectedImage]:
    frame = table.frame
    rows = zip(
        frame["image_id"], table.paths, frame["diagnosis"], lesion_mask_paths(table, masks), strict=True
    )
    return [SelectedImage(image, path, display_name(label), mask) for image, path, label, mask in rows]
