"""Images with their crops' frames coloured by attention weight (Gessert et al. 2019, Fig. 4)."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap

from lesionlens.experiments.figures.lines import Line, Scale, Tile, lines_figure
from lesionlens.experiments.figures.looked import standing_in
from lesionlens.experiments.figures.same_images import same_images
from lesionlens.experiments.figures.sketch import Sketch
from lesionlens.experiments.results import Results
from lesionlens.explanation.render import COLORMAP

IMAGES = 3  # as in the paper
SAID = (
    "Each frame is a crop: the brighter and thicker, the heavier among the crops of its image. Above the images their "
    "labels; above the frames the class of the highest model score, and this score."
)


def crops(results: Results) -> Sketch | None:
    """Draw a line of images for each panel.

    Raises
    ------
    LesionLensError
        A run, image or mask cannot be read, or the panels share no test image.
    """
    found, figure = same_images(results, count=IMAGES), results.experiment.figure
    if found is None or figure is None:
        return None
    lines = [found.plain([None] * len(found.images))]
    instead: list[str] = []
    for each, pictures in found.panels:
        lines.append(Line(each.title, [Tile(shown.drawn, shown.words) for shown in pictures]))
        if not pictures[0].name.endswith("-crops"):
            instead += standing_in(each.panel.map or "of crops", pictures[0].name, each.title)
    # as frames are coloured: without the darkest quarter
    colours = ListedColormap(colormaps[COLORMAP](np.linspace(0.25, 1, 128)))
    scale = Scale(colours, "lightest crop", "heaviest")
    drawn = lines_figure(lines, scale=scale)
    return Sketch(drawn, f"{figure.caption} {SAID}", (*found.notes, *instead), plot=False)
