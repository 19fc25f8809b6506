"""Images with their crops' frames coloured by attention weight (Gessert et al. 2019, Fig. 4)."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap

from lesionlens.experiments.figures.lines import GridRow, ColorScale, GridCell, image_grid_figure
from lesionlens.experiments.figures.looked import fallback_map_note
from lesionlens.experiments.figures.same_images import collect_shared_images
from lesionlens.experiments.figures.sketch import FigureDraft
from lesionlens.experiments.results import TableResults
from lesionlens.explanation.render import COLORMAP

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
