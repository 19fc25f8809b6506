"""One image through one run's network: the picture of the map that a panel asks for, and the model score."""

from typing import NamedTuple

from jaxtyping import UInt8
from numpy import ndarray

from lesionlens.errors import ModelError
from lesionlens.evaluation.wording import readable
from lesionlens.experiments.figures.chosen import Chosen
from lesionlens.explanation.explain import Explained, explain_image
from lesionlens.explanation.methods import METHODS
from lesionlens.models.bundle import Loaded
from lesionlens.report.pictures import title

LONGER_SIDE = 460  # pixels: more than a tile prints, and below what puts numbers on the frames of crops


class Looked(NamedTuple):
    """The image, the map over it, the map's name, and class and model score."""

    image: UInt8[ndarray, "h w 3"]
    drawn: UInt8[ndarray, "h w 3"]
    name: str
    words: str


def looked(loaded: Loaded, one: Chosen, asked: str, *, target: str = "") -> Looked:
    """Draw a map of an image; where the network has no such map, its own last one, else Grad-CAM.

    Parameters
    ----------
    asked, target
        As ``Panel.map`` and ``Panel.target``.

    Raises
    ------
    ModelError
        The target is no class of the network.
    ImageError, DataError
        The image or its mask cannot be read.
    """
    key = name_of(asked)
    method = next((each for each in METHODS if name_of(each) == key), "native")
    try:
        shown = _explained(loaded, one, method, target)
    except ModelError:
        shown = _explained(loaded, one, "gradcam", target)
    name = key if key in shown.overlays else list(shown.overlays)[-1]
    words = f"{readable(shown.target)} {shown.scores[shown.target]:.2f}"
    return Looked(shown.image, shown.overlays[name], name, words)


def name_of(asked: str) -> str:
    """Give the name that a map has in files.

    Examples
    --------
    >>> name_of("gate pool4"), name_of("gradcam++"), name_of("heads")
    ('gate-pool4', 'gradcampp', 'soft-heads')
    """
    return "soft-heads" if asked == "heads" else asked.replace(" ", "-").replace("+", "p")


def native(loaded: Loaded, one: Chosen) -> Explained:
    """Draw every map of the network's own over an image.

    Raises
    ------
    ModelError
        The network has none.
    """
    return _explained(loaded, one, "native", "")


def standing_in(asked: str, name: str, row: str) -> tuple[str, ...]:
    """Say which map is shown in place of the one that was asked for, if it is another."""
    if name_of(asked) in ("", "native", name):
        return ()
    return (f"{row} has no map {asked} here; shown is {title(name)}.",)


def _explained(loaded: Loaded, one: Chosen, method: str, target: str) -> Explained:
    seeing = loaded.card.preprocessing
    image = seeing.decode(one.path)
    region = seeing.region(image, one.mask, path=one.path)
    return explain_image(
        loaded, image, region=region, methods=(method,), target=target or None, longer_side=LONGER_SIDE
    )
