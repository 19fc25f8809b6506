"""One image through one run's network: the picture of the map that a panel asks for, and the model score."""

from typing import NamedTuple

from jaxtyping import UInt8
from numpy import ndarray

from lesionlens.errors import ModelError
from lesionlens.evaluation.wording import display_name
from lesionlens.experiments.figures.chosen import SelectedImage
from lesionlens.explanation.explain import Explanation, explain_image
from lesionlens.explanation.methods import METHODS
from lesionlens.models.bundle import LoadedModel
from lesionlens.report.pictures import map_title

FIGURE_MAX_SIZE = 460  # pixels: more than a tile prints, and below what puts numbers on the frames of crops


class ExplainedImage(NamedTuple):
    """The image, the map over it, the map's name, and class and model score."""

    image: UInt8[ndarray, "h w 3"]
    overlay: UInt8[ndarray, "h w 3"]
    map_name: str
    caption: str


def explain_for_figure(loaded: LoadedModel, selected: SelectedImage, requested_map: str, *, target_class: str = "") -> ExplainedImage:
    """Draw a map of an image; where the network has no such map, its own last one, else Grad-CAM.

    Parameters
    ----------
    requested_map, target_class
        As ``Panel.map`` and ``Panel.target``.

    Raises
    ------
    ModelError
        The target is no class of the network.
    ImageError, DataError
        The image or its mask cannot be read.
    """
    key = map_file_name(requested_map)
    method = next((each for each in METHODS if map_file_name(each) == key), "native")
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
    >>> name_of("gate pool4"), name_of("gradcam++"), name_of("heads")
    ('gate-pool4', 'gradcampp', 'soft-heads')
    """
    return "soft-heads" if map_name == "heads" else map_name.replace(" ", "-").replace("+", "p")


def explain_with_own_maps(loaded: LoadedModel, selected: SelectedImage) -> Explanation:
    """Draw every map of the network's own over an image.

    Raises
    ------
    ModelError
        The network has none.
    """
    return _explain(loaded, selected, "native", "")


def fallback_map_note(requested_map: str, shown_map: str, row: str) -> tuple[str, ...]:
    """Say which map is shown in place of the one that was asked for, if it is another."""
    if map_file_name(requested_map) in ("", "native", shown_map):
        return ()
    return (f"{row} has no map {requested_map} here; shown is {map_title(shown_map)}.",)


def _explain(loaded: LoadedModel, selected: SelectedImage, method: str, target_class: str) -> Explanation:
    seeing = loaded.card.preprocessing
    image = seeing.load_image(selected.path)
    region = seeing.lesion_roi(image, selected.mask, path=selected.path)
    return explain_image(
        loaded, image, region=region, methods=(method,), target_class=target_class or None, max_size=FIGURE_MAX_SIZE
    )
