"""Images over one line of maps for each model.

Zhang et al. 2019, Figs. 5, 6 and 9; Yan 2020, Fig. 3.3; Datta et al. 2021, Figs. 7 and 9.
"""

from matplotlib import colormaps
from numpy import ndarray

from lesionlens.data.fitted_mask import fitted_mask
from lesionlens.experiments.figures.chosen import Chosen, chosen
from lesionlens.experiments.figures.lines import Line, Scale, Tile, lines_figure
from lesionlens.experiments.figures.looked import Looked, looked, name_of, standing_in
from lesionlens.experiments.figures.runs import Backed, paired
from lesionlens.experiments.figures.sketch import Sketch
from lesionlens.experiments.results import Results
from lesionlens.explanation.render import COLORMAP
from lesionlens.models.bundle import load_model
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
    found, notes = paired(results)
    figure = results.experiment.figure
    if not found or figure is None:
        return None
    choice = chosen(found, figure.images, figure.count)
    lines: list[Line] = []
    instead: list[str] = []
    for each in found:
        pictures = of_panel(results, each, choice.images)
        masks = [outline(one, shown.image) for one, shown in zip(choice.images, pictures, strict=True)]
        if not lines:
            shown_above = zip(choice.images, pictures, masks, strict=True)
            lines.append(
                Line("test images", [Tile(shown.image, one.words, mask) for one, shown, mask in shown_above])
            )
        tiles = [
            Tile(shown.drawn, shown.words, None if shown.name in MANY else mask)
            for shown, mask in zip(pictures, masks, strict=True)
        ]
        lines.append(Line(_label(each, title(pictures[0].name)), tiles))
        instead += standing_in(each.panel.map, pictures[0].name, each.title)
    scale = Scale(colormaps[COLORMAP], "low", "high")
    drawn = lines_figure(lines, scale=scale)
    return Sketch(drawn, f"{figure.caption} {SAID}", (*notes, *choice.notes, *instead), plot=False)


def of_panel(results: Results, each: Backed, images: list[Chosen]) -> list[Looked]:
    """Draw the panel's map of each image by the network of its first run."""
    loaded = load_model(each.cells[0].folder.best, device="auto")
    asked, target = results.here(each.panel.map), each.panel.target
    return [looked(loaded, one, asked, target=target) for one in images]


def _label(each: Backed, shown: str) -> str:
    """Name a line: by its own title, else by row and map; the map once where the row is called after it."""
    named = each.panel.title or shown.casefold() in each.title.casefold()
    return each.title if named else f"{each.title}: {shown}"


def outline(one: Chosen, shown: ndarray) -> ndarray | None:
    """Give the lesion mask at the size of the picture, (h, w); None where there is none."""
    return fitted_mask(one.mask, (shown.shape[0], shown.shape[1]), image=one.path) if one.mask else None
