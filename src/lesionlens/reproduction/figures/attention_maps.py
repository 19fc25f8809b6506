"""Figures of test images with attention maps, a row of maps per model, or with the weights of crops.

Zhang et al. 2019, Figs. 5, 6 and 9; Yan 2020, Fig. 3.3; Gessert et al. 2019, Fig. 4; Datta et al. 2021, Figs. 7 and 9.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from matplotlib import colormaps
from matplotlib.colors import ListedColormap
from numpy import ndarray

from lesionlens.core.errors import ModelError
from lesionlens.evaluation.formatting import display_name
from lesionlens.explanation.explain import Explanation, explain_image
from lesionlens.explanation.methods import map_file_name, method_of_map
from lesionlens.explanation.overlay import COLORMAP
from lesionlens.imaging.masks import load_mask
from lesionlens.models.map_titles import RAW_SUFFIX, map_title
from lesionlens.models.saved_model import LoadedModel, load_saved_model
from lesionlens.reproduction.figures.base import CaptionedFigure, PanelRuns, panels_with_matched_runs
from lesionlens.reproduction.figures.image_grid import ColorScale, GridCell, GridRow, image_grid_figure
from lesionlens.reproduction.figures.image_selection import SelectedImage, select_images
from lesionlens.reproduction.planner import TableResults

FIGURE_MAX_SIZE = 460  # pixels: enough for print, and small enough that crops are not numbered

MULTI_MAP_NAMES = {"soft-heads"}  # overlays that show several maps
MAPS_CAPTION = (
    "Above each image its label; above each map a class and its model score, and maps that explain a class explain "
    "this one. Each map is scaled separately. Thin line: outline of the lesion mask. White veil: not covered by a crop."
)

DEFAULT_IMAGE_COUNT = 3  # as in Gessert et al. 2019
CROPS_CAPTION = (
    "Each frame is a crop: the brighter and thicker, the higher its weight among the crops of its image. Above the "
    "images their labels; above the frames the class of the highest model score, and this score."
)


class ExplainedImage(NamedTuple):
    """The image, its overlay with a map, the map's name, and a caption with class and model score."""

    image: UInt8[ndarray, "h w 3"]
    overlay: UInt8[ndarray, "h w 3"]
    map_name: str
    caption: str


class SharedImages(NamedTuple):
    """Images that all panels share, their explanation by each panel's network, and notes."""

    images: list[SelectedImage]
    panels: list[tuple[PanelRuns, list[ExplainedImage]]]
    notes: tuple[str, ...]

    def input_row(self, masks: Sequence[ndarray | None]) -> GridRow:
        """Return the row of the images as the first panel's network reads them, with lesion masks (h, w)."""
        columns = zip(self.images, self.panels[0][1], masks, strict=True)
        return GridRow(
            "test images",
            [GridCell(explained.image, image.caption, mask) for image, explained, mask in columns],
        )


def attention_maps_figure(results: TableResults) -> CaptionedFigure | None:
    """Show the same test images for all panels, with the maps of each panel's first run.

    Raises
    ------
    LesionLensError
        A run, image or mask cannot be read, or the panels share no test image.
    """
    shared, spec = collect_shared_images(results), results.spec.figure
    if shared is None or spec is None:
        return None
    masks_by_panel = [_resized_masks(shared.images, explained) for _, explained in shared.panels]
    rows = [shared.input_row(masks_by_panel[0])]
    notes = list(shared.notes)
    for (panel, explained), masks in zip(shared.panels, masks_by_panel, strict=True):
        cells = [
            GridCell(image.overlay, image.caption, mask if _has_outline(panel, image) else None)
            for image, mask in zip(explained, masks, strict=True)
        ]
        shown_map = explained[0].map_name + (RAW_SUFFIX if panel.panel.raw else "")
        rows.append(GridRow(_row_label(panel, map_title(shown_map)), cells))
        notes += fallback_map_note(panel.panel.map, explained[0].map_name, panel.title)
    figure = image_grid_figure(rows, scale=ColorScale(colormaps[COLORMAP], "low", "high"))
    return CaptionedFigure(figure, f"{spec.caption} {MAPS_CAPTION}", tuple(notes), is_vector=False)


def _has_outline(panel_runs: PanelRuns, image: ExplainedImage) -> bool:
    return not panel_runs.panel.raw and image.map_name not in MULTI_MAP_NAMES


def _row_label(panel_runs: PanelRuns, map_title: str) -> str:
    """Return the label of a panel's row: its title, followed by the map unless the title contains it."""
    is_complete = panel_runs.panel.title or map_title.casefold() in panel_runs.title.casefold()
    return panel_runs.title if is_complete else f"{panel_runs.title}: {map_title}"


def _resized_masks(
    images: Sequence[SelectedImage], explained: Sequence[ExplainedImage]
) -> list[ndarray | None]:
    """Load the lesion mask (h, w) of each image in the size of its overlay; None if there is none."""
    return [
        load_mask(image.mask, (shown.image.shape[0], shown.image.shape[1]), image_path=image.path)
        if image.mask
        else None
        for image, shown in zip(images, explained, strict=True)
    ]


def crop_weights_figure(results: TableResults) -> CaptionedFigure | None:
    """Show the crops of test images by their weights, a row per panel.

    Raises
    ------
    LesionLensError
        A run, image or mask cannot be read, or the panels share no test image.
    """
    shared, spec = collect_shared_images(results, count=DEFAULT_IMAGE_COUNT), results.spec.figure
    if shared is None or spec is None:
        return None
    rows = [shared.input_row([None] * len(shared.images))]
    notes = list(shared.notes)
    for panel, explained in shared.panels:
        rows.append(GridRow(panel.title, [GridCell(image.overlay, image.caption) for image in explained]))
        if not explained[0].map_name.endswith("-crops"):
            notes += fallback_map_note(panel.panel.map or "of crops", explained[0].map_name, panel.title)
    # the colors of frames: without the darkest quarter
    colors = ListedColormap(colormaps[COLORMAP](np.linspace(0.25, 1, 128)))
    figure = image_grid_figure(rows, scale=ColorScale(colors, "lowest weight", "highest"))
    return CaptionedFigure(figure, f"{spec.caption} {CROPS_CAPTION}", tuple(notes), is_vector=False)


def explain_for_figure(
    loaded: LoadedModel,
    selected: SelectedImage,
    requested_map: str,
    *,
    target_class: str = "",
    raw: bool = False,
) -> ExplainedImage:
    """Compute a map of an image; if the network has no such map, its own last one, or Grad-CAM.

    Parameters
    ----------
    requested_map, target_class, raw
        As ``PanelSpec.map``, ``PanelSpec.target_class`` and ``PanelSpec.raw``.

    Raises
    ------
    ModelError
        The target is not a class of the network.
    ImageError, DataError
        The image or its mask cannot be read.
    """
    key = map_file_name(requested_map)
    method = method_of_map(requested_map)
    try:
        explanation = explain_selected(loaded, selected, method, target_class, raw_maps=raw)
    except ModelError:
        explanation = explain_selected(loaded, selected, "gradcam", target_class, raw_maps=raw)
    names = [name for name in explanation.overlays if not name.endswith(RAW_SUFFIX)]
    name = key if key in names else names[-1]
    rendered = explanation.overlays.get(name + RAW_SUFFIX if raw else name, explanation.overlays[name])
    score = explanation.scores[explanation.target_class]
    caption = f"{display_name(explanation.target_class)} {score:.2f}"
    return ExplainedImage(explanation.image, rendered, name, caption)


def fallback_map_note(requested_map: str, shown_map: str, row: str) -> tuple[str, ...]:
    """Return a note if another map than the requested one is shown."""
    if map_file_name(requested_map) in ("", "attention", shown_map):
        return ()
    return (f"{row} has no map {requested_map} here; shown is {map_title(shown_map)}.",)


def explain_selected(
    loaded: LoadedModel,
    selected: SelectedImage,
    method: str,
    target_class: str = "",
    *,
    raw_maps: bool = False,
) -> Explanation:
    """Compute the maps of one method for a selected image, in the size of figures.

    Raises
    ------
    ModelError
        The network does not support the method, or the target is not a class of the network.
    ImageError, DataError
        The image or its mask cannot be read.
    """
    return explain_image(
        loaded,
        selected.path,
        mask=selected.mask,
        methods=(method,),
        target_class=target_class or None,
        max_size=FIGURE_MAX_SIZE,
        raw_maps=raw_maps,
    )


def collect_shared_images(results: TableResults, *, count: int | None = None) -> SharedImages | None:
    """Select images for a figure and explain them with the network of each panel's first run.

    Parameters
    ----------
    count
        Number of images if the figure does not set it; default: that of `FigureSpec`.

    Returns
    -------
    SharedImages or None
        None if no panel has a finished run.

    Raises
    ------
    LesionLensError
        A run, image or mask cannot be read, or the panels share no test image.
    """
    panels, notes = panels_with_matched_runs(results)
    figure = results.spec.figure
    if not panels or figure is None:
        return None
    if count is None or "count" in figure.model_fields_set:
        count = figure.count
    selection = select_images(panels, figure.image_selection, count)
    explained = [(panel, _explain_panel(results, panel, selection.images)) for panel in panels]
    return SharedImages(selection.images, explained, (*notes, *selection.notes))


def _explain_panel(
    results: TableResults, panel_runs: PanelRuns, images: Sequence[SelectedImage]
) -> list[ExplainedImage]:
    loaded = load_saved_model(panel_runs.cells[0].run_dir.best_model, device="auto")
    panel = panel_runs.panel
    map_name = results.local_map_name(panel.map)
    return [
        explain_for_figure(loaded, image, map_name, target_class=panel.target_class, raw=panel.raw)
        for image in images
    ]
