"""The same test images, seen by the network of every panel."""

from collections.abc import Sequence
from typing import NamedTuple

from numpy import ndarray

from lesionlens.experiments.figures.chosen import SelectedImage, select_images
from lesionlens.experiments.figures.lines import GridRow, GridCell
from lesionlens.experiments.figures.looked import ExplainedImage, explain_for_figure
from lesionlens.experiments.figures.runs import PanelRuns, panels_with_matched_runs
from lesionlens.experiments.results import TableResults
from lesionlens.models.bundle import load_model


class SharedImages(NamedTuple):
    """Images, what each panel's network looked at in them, and remarks."""

    images: list[SelectedImage]
    panels: list[tuple[PanelRuns, list[ExplainedImage]]]
    notes: tuple[str, ...]

    def input_row(self, masks: Sequence[ndarray | None]) -> GridRow:
        """Give the images as they are, as the first panel's network takes them, each with its mask if there is one."""
        shown = zip(self.images, self.panels[0][1], masks, strict=True)
        return GridRow("test images", [GridCell(seen.image, one.caption, mask) for one, seen, mask in shown])


def collect_shared_images(results: TableResults, *, count: int | None = None) -> SharedImages | None:
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
    found, notes = panels_with_matched_runs(results)
    figure = results.spec.figure
    if not found or figure is None:
        return None
    if count is None or "count" in figure.model_fields_set:
        count = figure.count
    choice = select_images(found, figure.image_selection, count)
    panels = [(each, _explain_panel(results, each, choice.images)) for each in found]
    return SharedImages(choice.images, panels, (*notes, *choice.notes))


def _explain_panel(results: TableResults, panel_runs: PanelRuns, images: Sequence[SelectedImage]) -> list[ExplainedImage]:
    loaded = load_model(panel_runs.cells[0].run_dir.best_model, device="auto")
    asked, target = results.local_map_name(panel_runs.panel.map), panel_runs.panel.target_class
    return [explain_for_figure(loaded, one, asked, target_class=target) for one in images]
