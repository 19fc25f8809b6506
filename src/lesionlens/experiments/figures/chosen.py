"""Which test images a figure shows: always the same of the same runs."""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from lesionlens.data.datasets import load_table
from lesionlens.data.fitted_mask import lesion_pixels
from lesionlens.data.mask_files import lesion_masks
from lesionlens.data.sheet import read_sheet
from lesionlens.data.table import LesionTable
from lesionlens.errors import RunError
from lesionlens.evaluation.predictions import read_predictions
from lesionlens.evaluation.wording import readable
from lesionlens.experiments.figures.runs import Backed
from lesionlens.experiments.results import Cell
from lesionlens.experiments.tested import tested_part

WEIGHED = 200  # masks that are read to find small and large lesions


class Chosen(NamedTuple):
    """An image of a test part, its label in words, what else is known of it, and its lesion mask if there is one."""

    image_id: str
    path: Path
    label: str
    mask: Path | None
    more: str = ""

    @property
    def words(self) -> str:
        """What stands above it."""
        return "\n".join(filter(None, (self.label, self.more)))


class Choice(NamedTuple):
    """The images, and why they are others than was asked for."""

    images: list[Chosen]
    notes: tuple[str, ...] = ()


def chosen(found: Sequence[Backed], how: str, count: int) -> Choice:
    """Choose among the images that every panel's first run was tested on, in the order of their names.

    Parameters
    ----------
    how
        As ``Figure.images``: ``classes``, ``sizes`` or ``artefacts``; where masks or artefacts are not known, classes.

    Raises
    ------
    RunError
        The panels have no test image in common.
    """
    first = found[0].cells[0]
    common = set.intersection(*(_tested(each.cells[0]) for each in found))
    if not common:
        raise RunError(
            "the runs of the figure's panels have no test image in common, so no line of it would fit"
        )
    source = first.recipe.data
    table = load_table(source.source, classes=source.classes).select(sorted(common))
    everyone = _everyone(table, Path(source.masks) if source.masks else None)
    found_by = _HOW.get(how)
    picked = found_by(everyone, table, count) if found_by else None
    if picked is not None:
        return Choice(picked)
    notes = (f"Images are one of each class in turn: {_LACKING[how]}.",) if found_by else ()
    return Choice(by_class(everyone, table.classes, count), notes)


def by_class(images: Sequence[Chosen], classes: Sequence[str], count: int) -> list[Chosen]:
    """Take one image of each class in turn."""
    groups = [[each for each in images if each.label == readable(name)] for name in classes]
    turns = zip_longest(*groups)
    return [each for turn in turns for each in turn if each is not None][:count]


def _by_size(images: Sequence[Chosen], _: LesionTable, count: int) -> list[Chosen] | None:
    """Take the smallest lesions, then the largest, by their share of the image; None where masks do not tell."""
    masked = [each for each in images if each.mask is not None][:WEIGHED]
    weighed = [(float(lesion_pixels(each.mask).mean()), each) for each in masked if each.mask is not None]
    ranked = sorted((pair for pair in weighed if pair[0] > 0), key=lambda pair: (pair[0], pair[1].image_id))
    if len(ranked) < 2:
        return None
    half = min(count, len(ranked)) // 2
    taken = [*ranked[:half], *ranked[len(ranked) - min(count, len(ranked)) + half :]]
    return [each._replace(more=f"lesion {share:.0%}") for share, each in taken]


def _by_artefact(images: Sequence[Chosen], table: LesionTable, count: int) -> list[Chosen] | None:
    """Take an image with each artefact in turn; None where no table tells which there are."""
    told = (table.root if table.root.is_dir() else table.root.parent) / "artefacts.csv"
    if not told.is_file():
        return None
    worn = _worn(told)
    kinds = dict.fromkeys(kind for each in images for kind in worn.get(each.image_id, ()))
    groups = [[each for each in images if kind in worn.get(each.image_id, ())] for kind in kinds]
    turns = dict.fromkeys(each for turn in zip_longest(*groups) for each in turn if each is not None)
    return [each._replace(more=", ".join(worn[each.image_id])) for each in turns][:count] or None


def _worn(told: Path) -> dict[str, tuple[str, ...]]:
    """Read the artefacts of each image from a table with a column of 0 and 1 for each."""
    sheet = read_sheet(told)
    kinds = [str(name) for name in sheet if set(sheet[name]) <= {"0", "1"}]
    marks = zip(sheet["image_id"], *(sheet[kind] for kind in kinds), strict=True)
    return {
        image: tuple(readable(kind) for kind, mark in zip(kinds, own, strict=True) if mark == "1")
        for image, *own in marks
    }


_How = Callable[[Sequence[Chosen], LesionTable, int], list[Chosen] | None]
_HOW: dict[str, _How] = {"sizes": _by_size, "artefacts": _by_artefact}
_LACKING = {
    "sizes": "no masks tell how large lesions are",
    "artefacts": "nothing tells which of these images have artefacts",
}


def _tested(cell: Cell) -> set[str]:
    return set(map(str, read_predictions(cell.folder.predictions(tested_part(cell))).image_id))


def _everyone(table: LesionTable, masks: Path | None) -> list[Chosen]:
    frame = table.frame
    rows = zip(frame["image_id"], table.paths, frame["diagnosis"], lesion_masks(table, masks), strict=True)
    return [Chosen(image, path, readable(label), mask) for image, path, label, mask in rows]
