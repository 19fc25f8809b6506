"""The same test images, seen by the network of every panel."""

from collections.abc import Sequence
from typing import NamedTuple

from numpy import ndarray

from lesionlens.experiments.figures.chosen import Chosen, chosen
from lesionlens.experiments.figures.lines import Line, Tile
from lesionlens.experiments.figures.looked import Looked, looked
from lesionlens.experiments.figures.runs import Backed, paired
from lesionlens.experiments.results import Results
from lesionlens.models.bundle import load_model


class SameImages(NamedTuple):
    """Images, what each panel's network looked at in them, and remarks."""

    images: list[Chosen]
    panels: list[tuple[Backed, list[Looked]]]
    notes: tuple[str, ...]

    def plain(self, masks: Sequence[ndarray | None]) -> Line:
        """Give the images as they are, as the first panel's network takes them, each with its mask if there is one."""
        shown = zip(self.images, self.panels[0][1], masks, strict=True)
        return Line("test images", [Tile(seen.image, one.words, mask) for one, seen, mask in shown])


def same_images(results: Results, *, count: int | None = None) -> SameImages | None:
    """Choose images for a figure and look at them with the network of each panel's first run.

    Parameters
    ----------
    count
        How many, where the figure does not say so; default: the usual number of a figure.

    Returns
    -------
    SameImages or None
        None where no panel has a finished run.

    Raises
    ------
    LesionLensError
        A run, image or mask cannot be read, or the panels share no test image.
    """
    found, notes = paired(results)
    figure = results.experiment.figure
    if not found or figure is None:
        return None
    if count is None or "count" in figure.model_fields_set:
        count = figure.count
    choice = chosen(found, figure.images, count)
    panels = [(each, _of_panel(results, each, choice.images)) for each in found]
    return SameImages(choice.images, panels, (*notes, *choice.notes))


def _of_panel(results: Results, each: Backed, images: Sequence[Chosen]) -> list[Looked]:
    loaded = load_model(each.cells[0].folder.best, device="auto")
    asked, target = results.here(each.panel.map), each.panel.target
    return [looked(loaded, one, asked, target=target) for one in images]
