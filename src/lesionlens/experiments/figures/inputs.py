"""Images before and after what a recipe does to them (Zhang et al. 2019, Figs. 8 and 10)."""

import numpy as np
from numpy import ndarray

from lesionlens.crops.box import Box
from lesionlens.data.decoding import decode
from lesionlens.data.fitted_mask import fitted_mask
from lesionlens.errors import RunError
from lesionlens.experiments.figures.chosen import Chosen, chosen
from lesionlens.experiments.figures.lines import Line, Tile, lines_figure
from lesionlens.experiments.figures.looked import LONGER_SIDE
from lesionlens.experiments.figures.runs import paired
from lesionlens.experiments.figures.sketch import Sketch
from lesionlens.experiments.results import Results
from lesionlens.explanation.render import shrunk
from lesionlens.models.bundle import load_model
from lesionlens.preprocessing import Preprocessing

COLOURS = {"gray-world": "gray-world colour constancy", "shades-of-gray": "shades-of-gray colour constancy"}


def inputs(results: Results) -> Sketch | None:
    """Draw the images as they came, then as each panel's network sees them: colours, hair, the cut to the lesion.

    Raises
    ------
    LesionLensError
        A run, image or mask cannot be read, or no panel's recipe does anything to its images.
    """
    found, notes = paired(results)
    figure = results.experiment.figure
    if not found or figure is None:
        return None
    choice = chosen(found, figure.images, figure.count)
    seeing = [load_model(each.cells[0].folder.best).card.preprocessing for each in found]
    different = {(each.colour, each.hair, each.roi): each for each in seeing}
    lines = [line for each in different.values() for line in _after(each, choice.images)]
    if not lines:
        raise RunError(
            "the figure shows images before and after, but its rows' recipes leave images as they are; one of them "
            "needs data.colour, data.hair or crops.roi"
        )
    side = seeing[0].shorter_side
    before = [
        Tile(shrunk(decode(one.path, shorter_side=side), LONGER_SIDE), one.words) for one in choice.images
    ]
    drawn = lines_figure([Line("original", before), *lines])
    return Sketch(drawn, figure.caption, (*notes, *choice.notes), plot=False)


def _after(seeing: Preprocessing, images: list[Chosen]) -> list[Line]:
    """Give the lines for what is done: to light and hair, then mask and cut; none where nothing is."""
    decoded = [seeing.decode(one.path) for one in images]
    lines = []
    done = [COLOURS.get(seeing.colour, ""), "hair removed" if seeing.hair == "remove" else ""]
    if any(done):
        shown = [Tile(shrunk(image, LONGER_SIDE)) for image in decoded]
        lines.append(Line(", ".join(filter(None, done)), shown))
    if seeing.roi is not None:
        pairs = list(zip(images, decoded, strict=True))
        lines.append(Line("lesion mask", [_mask(one, image) for one, image in pairs]))
        lines.append(Line("cut to the lesion", [_cut(seeing, one, image) for one, image in pairs]))
    return lines


def _mask(one: Chosen, image: ndarray) -> Tile | None:
    if one.mask is None:
        return None
    mask = fitted_mask(one.mask, (image.shape[0], image.shape[1]), image=one.path)
    return Tile(shrunk(np.repeat(mask[..., None], 3, axis=2), LONGER_SIDE))


def _cut(seeing: Preprocessing, one: Chosen, image: ndarray) -> Tile:
    """Cut the box that the crops lie in; without a mask the whole image is seen."""
    region = seeing.region(image, one.mask, path=one.path)
    whole = Box(0, 0, image.shape[0], image.shape[1])
    return Tile(
        shrunk(image[(region or whole).pixels()], LONGER_SIDE), "" if region else "no mask: seen whole"
    )
