"""Images over one line of maps for each model.

Zhang et al. 2019, Figs. 5, 6 and 9; Yan 2020, Fig. 3.3; Datta et al. 2021, Figs. 7 and 9.
"""

from collections.abc import Sequence

from matplotlib import colormaps
from numpy import ndarray

from lesionlens.data.fitted_mask import fitted_mask
from lesionlens.experiments.figures.chosen import Chosen
from lesionlens.experiments.figures.lines import Line, Scale, Tile, lines_figure
from lesionlens.experiments.figures.looked import Looked, name_of, standing_in
from lesionlens.experiments.figures.runs import Backed
from lesionlens.experiments.figures.same_images import same_images
from lesionlens.experiments.figures.sketch import Sketch
from lesionlens.experiments.results import Results
from lesionlens.explanation.render import COLORMAP
from lesionlens.report.pictures import title

MANY = {name_of("heads")}  # maps that are drawn as many small pictures
SAID = (
    "Above each image its label, above each map a class and its model score; each map is scaled by itself, and maps "
    "that explain a class are of this one. Thin line: outline of the lesion mask. Veiled in white: no crop looked "
    "there."
)


def maps(results: Results) -> Sketch | None:
    """Draw the same test images for all panels, each with the map of its first run.

    Raises
    ------
    LesionLensError
        A run, image or mask cannot be read, or the panels share no test image.
    """
    found, figure = same_images(results), results.experiment.figure
    if found is None or figure is None:
        return None
    outlines = [_outlines(found.images, pictures) for _, pictures in found.panels]
    lines = [found.plain(outlines[0])]
    instead: list[str] = []
    for (each, pictures), masks in zip(found.panels, outlines, strict=True):
        tiles = [
            Tile(shown.drawn, shown.words, None if shown.name in MANY else mask)
            for shown, mask in zip(pictures, masks, strict=True)
        ]
        lines.append(Line(_label(each, title(pictures[0].name)), tiles))
        instead += standing_in(each.panel.map, pictures[0].name, each.title)
    scale = Scale(colormaps[COLORMAP], "low", "high")
    drawn = lines_figure(lines, scale=scale)
    return Sketch(drawn, f"{figure.caption} {SAID}", (*found.notes, *instead), plot=False)


def _label(each: Backed, shown: str) -> str:
    """Name a line: by its own title, else by row and map; the map once where the row is called after it."""
    named = each.panel.title or shown.casefold() in each.title.casefold()
    return each.title if named else f"{each.title}: {shown}"


def _outlines(images: Sequence[Chosen], pictures: Sequence[Looked]) -> list[ndarray | None]:
    """Give each lesion mask at the size of its picture, (h, w); None where there is none."""
    return [
        fitted_mask(one.mask, (shown.image.shape[0], shown.image.shape[1]), image=one.path)
        if one.mask
        else None
        for one, shown in zip(images, pictures, strict=True)
    ]
