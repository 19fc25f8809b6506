"""Which test images a figure shows: always the same of the same runs."""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from lesionlens.data.datasets import load_table
from lesionlens.data.fitted_mask import read_lesion_mask
from lesionlens.data.mask_files import lesion_mask_paths
from lesionlens.data.sheet import read_table
from lesionlens.data.table import LesionTable
from lesionlens.errors import RunError
from lesionlens.evaluation.predictions import read_predictions
from lesionlens.evaluation.wording import display_name
from lesionlens.experiments.figures.runs import PanelRuns
from lesionlens.experiments.results import RunCell
from lesionlens.experiments.tested import evaluation_split

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
        As ``Figure.images``: ``classes``, ``sizes`` or ``artefacts``; where masks or artefacts are not known, classes.

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


def select_by_class(images: Sequence[SelectedImage], classes: Sequence[str], count: int) -> list[SelectedImage]:
    """Take one image of each class in turn."""
    groups = [[each for each in images if each.label == display_name(name)] for name in classes]
    turns = zip_longest(*groups)
    return [each for turn in turns for each in turn if each is not None][:count]


def _select_by_size(images: Sequence[SelectedImage], _: LesionTable, count: int) -> list[SelectedImage] | None:
    """Take the smallest lesions, then the largest, by their share of the image; None where masks do not tell."""
    masked = [each for each in images if each.mask is not None][:MAX_MASKS_READ]
    weighed = [(float(read_lesion_mask(each.mask).mean()), each) for each in masked if each.mask is not None]
    ranked = sorted((pair for pair in weighed if pair[0] > 0), key=lambda pair: (pair[0], pair[1].image_id))
    if len(ranked) < 2:
        return None
    half = min(count, len(ranked)) // 2
    taken = [*ranked[:half], *ranked[len(ranked) - min(count, len(ranked)) + half :]]
    return [each._replace(detail=f"lesion {share:.0%}") for share, each in taken]


def _select_by_artifact(images: Sequence[SelectedImage], table: LesionTable, count: int) -> list[SelectedImage] | None:
    """Take an image with each artefact in turn; None where no table tells which there are."""
    told = (table.root if table.root.is_dir() else table.root.parent) / "artefacts.csv"
    if not told.is_file():
        return None
    worn = _artifacts_per_image(told)
    kinds = dict.fromkeys(kind for each in images for kind in worn.get(each.image_id, ()))
    groups = [[each for each in images if kind in worn.get(each.image_id, ())] for kind in kinds]
    turns = dict.fromkeys(each for turn in zip_longest(*groups) for each in turn if each is not None)
    return [each._replace(detail=", ".join(worn[each.image_id])) for each in turns][:count] or None


def _artifacts_per_image(path: Path) -> dict[str, tuple[str, ...]]:
    """Read the artefacts of each image from a table with a column of 0 and 1 for each."""
    sheet = read_table(path)
    kinds = [str(name) for name in sheet if set(sheet[name]) <= {"0", "1"}]
    marks = zip(sheet["image_id"], *(sheet[kind] for kind in kinds), strict=True)
    return {
        image: tuple(display_name(kind) for kind, mark in zip(kinds, own, strict=True) if mark == "1")
        for image, *own in marks
    }


_Strategy = Callable[[Sequence[SelectedImage], LesionTable, int], list[SelectedImage] | None]
_STRATEGIES: dict[str, _Strategy] = {"sizes": _select_by_size, "artefacts": _select_by_artifact}
_MISSING_DATA_NOTES = {
    "sizes": "no masks tell how large lesions are",
    "artefacts": "nothing tells which of these images have artefacts",
}


def _tested_image_ids(cell: RunCell) -> set[str]:
    return set(map(str, read_predictions(cell.run_dir.predictions(evaluation_split(cell))).image_id))


def _common_images(table: LesionTable, masks: Path | None) -> list[SelectedImage]:
    frame = table.frame
    rows = zip(frame["image_id"], table.paths, frame["diagnosis"], lesion_mask_paths(table, masks), strict=True)
    return [SelectedImage(image, path, display_name(label), mask) for image, path, label, mask in rows]
