"""Images over one line of maps for each model.

Zhang et al. 2019, Figs. 5, 6 and 9; Yan 2020, Fig. 3.3; Datta et al. 2021, Figs. 7 and 9.
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
from lesionlens.explanation.methods import METHODS
from lesionlens.explanation.overlay import COLORMAP
from lesionlens.imaging.masks import load_mask
from lesionlens.models.map_titles import map_title
from lesionlens.models.saved_model import LoadedModel, load_model
from lesionlens.reproduction.figures.base import FigureDraft, PanelRuns, panels_with_matched_runs
from lesionlens.reproduction.figures.image_grid import (
    ColorScale,
    GridCell,
    GridRow,
    SelectedImage,
    image_grid_figure,
    select_images,
)
from lesionlens.reproduction.planner import TableResults

FIGURE_MAX_SIZE = 460  # pixels: more than a tile prints, and below what puts numbers on the frames of crops


class ExplainedImage(NamedTuple):
    """The image, the map over it, the map's name, and class and model score."""

    image: UInt8[ndarray, "h w 3"]
    overlay: UInt8[ndarray, "h w 3"]
    map_name: str
    caption: str


def explain_for_figure(
    loaded: LoadedModel, selected: SelectedImage, requested_map: str, *, target_class: str = ""
) -> ExplainedImage:
    """Draw a map of an image; where the network has no such map, its own last one, else Grad-CAM.

    Parameters
    ----------
    requested_map, target_class
        As ``PanelSpec.map`` and ``PanelSpec.target_class``.

    Raises
    ------
    ModelError
        The target is no class of the network.
    ImageError, DataError
        The image or its mask cannot be read.
    """
    key = map_file_name(requested_map)
    method = next((each for each in METHODS if map_file_name(each) == key), "attention")
    try:
        shown = _explain(loaded, selected, method, target_class)
    except ModelError:
        shown = _explain(loaded, selected, "gradcam", target_class)
    name = key if key in shown.overlays else list(shown.overlays)[-1]
    words = f"{display_name(shown.target_class)} {shown.scores[shown.target_class]:.2f}"
    return ExplainedImage(shown.image, shown.overlays[name], name, words)


def map_file_name(map_name: str) -> str:
    """Give the name that a map has in files.

    Examples
    --------
    >>> [map_file_name(name) for name in ("gate pool4", "gradcam++", "heads")]
    ['gate-pool4', 'gradcampp', 'soft-heads']
    """
    return "soft-heads" if map_name == "heads" else map_name.replace(" ", "-").replace("+", "p")


def explain_with_own_maps(loaded: LoadedModel, selected: SelectedImage) -> Explanation:
    """Draw every map of the network's own over an image.

    Raises
    ------
    ModelError
        The network has none.
    """
    return _explain(loaded, selected, "attention", "")


def fallback_map_note(requested_map: str, shown_map: str, row: str) -> tuple[str, ...]:
    """Say which map is shown in place of the one that was asked for, if it is another."""
    if map_file_name(requested_map) in ("", "attention", shown_map):
        return ()
    return (f"{row} has no map {requested_map} here; shown is {map_title(shown_map)}.",)


def _explain(loaded: LoadedModel, selected: SelectedImage, method: str, target_class: str) -> Explanation:
    seeing = loaded.card.preprocessing
    image = seeing.load_image(selected.path)
    region = seeing.lesion_roi(image, selected.mask, path=selected.path)
    return explain_image(
        loaded,
        image,
        region=region,
        methods=(method,),
        target_class=target_class or None,
        max_size=FIGURE_MAX_SIZE,
    )


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
    SharedImages or None
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


def _explain_panel(
    results: TableResults, panel_runs: PanelRuns, images: Sequence[SelectedImage]
) -> list[ExplainedImage]:
    loaded = load_model(panel_runs.cells[0].run_dir.best_model, device="auto")
    asked, target = results.local_map_name(panel_runs.panel.map), panel_runs.panel.target_class
    return [explain_for_figure(loaded, one, asked, target_class=target) for one in images]


MULTI_MAP_NAMES = {map_file_name("heads")}  # maps that are drawn as many small pictures
MAPS_CAPTION = (
    "Above each image its label, above each map a class and its model score; each map is scaled by itself, and maps "
    "that explain a class are of this one. Thin line: outline of the lesion mask. Veiled in white: no crop looked "
    "there."
)


def attention_maps_figure(results: TableResults) -> FigureDraft | None:
    """Draw the same test images for all panels, each with the map of its first run.

    Raises
    ------
    LesionLensError
        A run, image or mask cannot be read, or the panels share no test image.
    """
    found, figure = collect_shared_images(results), results.spec.figure
    if found is None or figure is None:
        return None
    outlines = [_mask_outlines(found.images, pictures) for _, pictures in found.panels]
    lines = [found.input_row(outlines[0])]
    instead: list[str] = []
    for (each, pictures), masks in zip(found.panels, outlines, strict=True):
        tiles = [
            GridCell(shown.overlay, shown.caption, None if shown.map_name in MULTI_MAP_NAMES else mask)
            for shown, mask in zip(pictures, masks, strict=True)
        ]
        lines.append(GridRow(_row_label(each, map_title(pictures[0].map_name)), tiles))
        instead += fallback_map_note(each.panel.map, pictures[0].map_name, each.title)
    scale = ColorScale(colormaps[COLORMAP], "low", "high")
    drawn = image_grid_figure(lines, scale=scale)
    return FigureDraft(drawn, f"{figure.caption} {MAPS_CAPTION}", (*found.notes, *instead), is_vector=False)


def _row_label(panel_runs: PanelRuns, map_title: str) -> str:
    """Name a line: by its own title, else by row and map; the map once where the row is called after it."""
    named = panel_runs.panel.title or map_title.casefold() in panel_runs.title.casefold()
    return panel_runs.title if named else f"{panel_runs.title}: {map_title}"


def _mask_outlines(
    images: Sequence[SelectedImage], explained: Sequence[ExplainedImage]
) -> list[ndarray | None]:
    """Give each lesion mask at the size of its picture, (h, w); None where there is none."""
    return [
        load_mask(one.mask, (shown.image.shape[0], shown.image.shape[1]), image_path=one.path)
        if one.mask
        else None
        for one, shown in zip(images, explained, strict=True)
    ]


DEFAULT_IMAGE_COUNT = 3  # as in the paper
CROPS_CAPTION = (
    "Each frame is a crop: the brighter and thicker, the heavier among the crops of its image. Above the images their "
    "labels; above the frames the class of the highest model score, and this score."
)


def crop_weights_figure(results: TableResults) -> FigureDraft | None:
    """Draw a line of images for each panel.

    Raises
    ------
    LesionLensError
        A run, image or mask cannot be read, or the panels share no test image.
    """
    found, figure = collect_shared_images(results, count=DEFAULT_IMAGE_COUNT), results.spec.figure
    if found is None or figure is None:
        return None
    lines = [found.input_row([None] * len(found.images))]
    instead: list[str] = []
    for each, pictures in found.panels:
        lines.append(GridRow(each.title, [GridCell(shown.overlay, shown.caption) for shown in pictures]))
        if not pictures[0].map_name.endswith("-crops"):
            instead += fallback_map_note(each.panel.map or "of crops", pictures[0].map_name, each.title)
    # as frames are coloured: without the darkest quarter
    colours = ListedColormap(colormaps[COLORMAP](np.linspace(0.25, 1, 128)))
    scale = ColorScale(colours, "lightest crop", "heaviest")
    drawn = image_grid_figure(lines, scale=scale)
    return FigureDraft(drawn, f"{figure.caption} {CROPS_CAPTION}", (*found.notes, *instead), is_vector=False)
