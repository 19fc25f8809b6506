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


def looked(loaded: Loaded, one: Chosen, panel: Panel, *, later: int = 0) -> Looked:
    """Draw the panel's map of an image; where the network has no such map, another of its own, else Grad-CAM.

    Parameters
    ----------
    later
        How many maps of the network's own a figure asks for after this one: from the end, that many are passed over
        when another map stands in for it.

    Raises
    ------
    ModelError
        The panel's target is no class of the network.
    ImageError, DataError
        The image or its mask cannot be read.
    """
    key, own = name_of(panel.map), is_own(panel.map)
    method = "native" if own else next(each for each in METHODS if name_of(each) == key)
    try:
        shown = _explained(loaded, one, method, panel.target)
    except ModelError:
        shown, own = _explained(loaded, one, "gradcam", panel.target), False
        method = "gradcam"
    there = list(shown.overlays)
    name = key if key in there else there[max(0, len(there) - 1 - (later if own else 0))]
    instead = bool(key) and name != key and (own or method == "gradcam")
    words = f"{readable(shown.target)} {shown.scores[shown.target]:.2f}"
    return Looked(shown.image, shown.overlays[name], name, instead, words)


def name_of(asked: str) -> str:
    """Give the name that a map has in files.

    Examples
    --------
    >>> name_of("gate pool4"), name_of("gradcam++")
    ('gate-pool4', 'gradcampp')
    """
    return asked.replace(" ", "-").replace("+", "p")


def is_own(asked: str) -> bool:
    """Whether a map is one that networks make themselves; "" is any of these."""
    return name_of(asked) not in {name_of(method) for method in METHODS}


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
