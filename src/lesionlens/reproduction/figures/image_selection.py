"""Selection of the test images that a figure shows."""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from lesionlens.core.errors import RunError
from lesionlens.datasets.artifact_labels import load_artifact_labels
from lesionlens.datasets.file_layout import lesion_mask_paths
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.table import LesionTable
from lesionlens.evaluation.formatting import display_name
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.imaging.masks import read_mask
from lesionlens.reproduction.evaluation_images import evaluation_split
from lesionlens.reproduction.figures.base import PanelRuns
from lesionlens.reproduction.planner import RunCell

MAX_MASKS_READ = 200  # number of masks read to find small and large lesions


class SelectedImage(NamedTuple):
    """A test image: id, path, label in words, lesion mask if there is one, and a detail such as the lesion's size."""

    image_id: str
    path: Path
    label: str
    mask: Path | None
    detail: str = ""

    @property
    def caption(self) -> str:
        """Label and detail, on one line each."""
        return "\n".join(filter(None, (self.label, self.detail)))


class Selection(NamedTuple):
    """Selected images, and notes if the requested strategy was not possible."""

    images: list[SelectedImage]
    notes: tuple[str, ...] = ()


def select_images(panels: Sequence[PanelRuns], strategy: str, count: int) -> Selection:
    """Select images among those that every panel's first run was tested on, in the order of their ids.

    Parameters
    ----------
    strategy
        ``classes``, ``sizes`` or ``artifacts``, as ``FigureSpec.image_selection``; without masks or a table of
        artifacts, ``classes`` is used.
    count
        Maximum number of images.

    Raises
    ------
    RunError
        The panels have no test image in common.
    """
    first = panels[0].cells[0]
    common = set.intersection(*(_tested_image_ids(panel.cells[0]) for panel in panels))
    if not common:
        raise RunError(
            "the runs of the figure's panels have no test image in common; they need the same split and fold"
        )
    data = first.recipe.data
    table = load_table(data.source, classes=data.classes).select(sorted(common))
    images = _describe_images(table, Path(data.mask_dir) if data.mask_dir else None)
    select = _STRATEGIES.get(strategy)
    selected = select(images, table, count) if select else None
    if selected is not None:
        return Selection(selected)
    notes = (f"Images are one of each class in turn: {_MISSING_DATA_NOTES[strategy]}.",) if select else ()
    return Selection(select_by_class(images, table.classes, count), notes)


def select_by_class(
    images: Sequence[SelectedImage], classes: Sequence[str], count: int
) -> list[SelectedImage]:
    """Select one image of each class in turn."""
    groups = [[image for image in images if image.label == display_name(name)] for name in classes]
    return _take_in_turn(groups)[:count]


def _take_in_turn(groups: Sequence[Sequence[SelectedImage]]) -> list[SelectedImage]:
    """Return the first image of each group, then the second of each, and so on, without duplicates."""
    rounds = zip_longest(*groups)
    return list(dict.fromkeys(image for members in rounds for image in members if image is not None))


def _select_by_size(
    images: Sequence[SelectedImage], _: LesionTable, count: int
) -> list[SelectedImage] | None:
    """Select the smallest lesions, then the largest, by their fraction of the image; None without two masks."""
    masked = [image for image in images if image.mask is not None][:MAX_MASKS_READ]
    sized = [(float(read_mask(image.mask).mean()), image) for image in masked if image.mask is not None]
    ranked = sorted((pair for pair in sized if pair[0] > 0), key=lambda pair: (pair[0], pair[1].image_id))
    if len(ranked) < 2:
        return None
    count = min(count, len(ranked))
    extremes = [*ranked[: count // 2], *ranked[len(ranked) - count + count // 2 :]]
    return [image._replace(detail=f"lesion {fraction:.0%}") for fraction, image in extremes]


def _select_by_artifact(
    images: Sequence[SelectedImage], table: LesionTable, count: int
) -> list[SelectedImage] | None:
    """Select one image with each artifact in turn; None without a table of artifacts, or if no image has one."""
    labels = load_artifact_labels(table)
    artifacts = {
        str(image_id): tuple(display_name(str(kind)) for kind in labels if row[kind] == 1)
        for image_id, row in zip(table.frame["image_id"], labels.to_dict("records"), strict=True)
    }
    kinds = dict.fromkeys(kind for image in images for kind in artifacts.get(image.image_id, ()))
    groups = [[image for image in images if kind in artifacts.get(image.image_id, ())] for kind in kinds]
    selected = _take_in_turn(groups)[:count]
    return [image._replace(detail=", ".join(artifacts[image.image_id])) for image in selected] or None


_Strategy = Callable[[Sequence[SelectedImage], LesionTable, int], list[SelectedImage] | None]
_STRATEGIES: dict[str, _Strategy] = {"sizes": _select_by_size, "artifacts": _select_by_artifact}
_MISSING_DATA_NOTES = {
    "sizes": "there are no lesion masks to measure sizes",
    "artifacts": "there is no table of these images' artifacts",
}


def _tested_image_ids(cell: RunCell) -> set[str]:
    return set(map(str, read_predictions(cell.run_dir.predictions(evaluation_split(cell))).image_id))


def _describe_images(table: LesionTable, masks: Path | None) -> list[SelectedImage]:
    frame = table.frame
    rows = zip(
        frame["image_id"], table.paths, frame["diagnosis"], lesion_mask_paths(table, masks), strict=True
    )
    return [SelectedImage(image, path, display_name(label), mask) for image, path, label, mask in rows]
