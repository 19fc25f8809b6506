"""Images over one line of maps for each model.

Zhang et al. 2019, Figs. 5, 6 and 9; Yan 2020, Fig. 3.3; Datta et al. 2021, Figs. 7 and 9.
"""

from collections.abc import Sequence

from matplotlib import colormaps
from numpy import ndarray

from lesionlens.data.fitted_mask import load_mask
from lesionlens.experiments.figures.chosen import SelectedImage
from lesionlens.experiments.figures.lines import GridRow, ColorScale, GridCell, image_grid_figure
from lesionlens.experiments.figures.looked import ExplainedImage, map_file_name, fallback_map_note
from lesionlens.experiments.figures.runs import PanelRuns
from lesionlens.experiments.figures.same_images import collect_shared_images
from lesionlens.experiments.figures.sketch import FigureDraft
from lesionlens.experiments.results import TableResults
from lesionlens.explanation.render import COLORMAP
from lesionlens.report.pictures import map_title

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


def _mask_outlines(images: Sequence[SelectedImage], explained: Sequence[ExplainedImage]) -> list[ndarray | None]:
    """Give each lesion mask at the size of its picture, (h, w); None where there is none."""
    return [
        load_mask(one.mask, (shown.image.shape[0], shown.image.shape[1]), image_path=one.path)
        if one.mask
        else None
        for one, shown in zip(images, explained, strict=True)
    ]
