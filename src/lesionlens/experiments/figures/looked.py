"""One image through one run's network: the picture of the map that a panel asks for, and the model score."""

from typing import NamedTuple

from jaxtyping import UInt8
from numpy import ndarray

from lesionlens.errors import ModelError
from lesionlens.evaluation.wording import readable
from lesionlens.experiments.figure import Panel
from lesionlens.experiments.figures.chosen import Chosen
from lesionlens.explanation.explain import Explained, explain_image
from lesionlens.explanation.methods import METHODS
from lesionlens.models.bundle import Loaded
from lesionlens.report.pictures import title

LONGER_SIDE = 460  # pixels: more than a tile prints, and below what puts numbers on the frames of crops


class Looked(NamedTuple):
    """The image, the map over it, the map's name, whether it stands for another one, and class and model score."""

    image: UInt8[ndarray, "h w 3"]
    drawn: UInt8[ndarray, "h w 3"]
    name: str
    instead: bool
    words: str


def looked(loaded: Loaded, one: Chosen, panel: Panel) -> Looked:
    """Draw the panel's map of an image; where the network has no such map, its last one, else Grad-CAM.

    Raises
    ------
    ModelError
        The panel's target is no class of the network.
    ImageError, DataError
        The image or its mask cannot be read.
    """
    key = panel.map.replace(" ", "-")
    method = panel.map if panel.map in METHODS else "native"
    try:
        shown = _explained(loaded, one, method, panel.target)
    except ModelError:
        shown = _explained(loaded, one, "gradcam", panel.target)
        method = "gradcam"
    name = key if key in shown.overlays else list(shown.overlays)[-1]
    instead = bool(key) and method != panel.map and name != key
    words = f"{readable(shown.target)} {shown.scores[shown.target]:.2f}"
    return Looked(shown.image, shown.overlays[name], name, instead, words)


def native(loaded: Loaded, one: Chosen) -> Explained:
    """Draw every map of the network's own over an image.

    Raises
    ------
    ModelError
        The network has none.
    """
    return _explained(loaded, one, "native", "")


def standing_in(asked: str, found: Looked, row: str) -> str:
    """Say which map is shown in place of another."""
    return f"{row} has no map {asked} here; shown is {title(found.name)}."


def _explained(loaded: Loaded, one: Chosen, method: str, target: str) -> Explained:
    seeing = loaded.card.preprocessing
    image = seeing.decode(one.path)
    region = seeing.region(image, one.mask, path=one.path)
    return explain_image(
        loaded, image, region=region, methods=(method,), target=target or None, longer_side=LONGER_SIDE
    )
