"""Explanation methods by name, and the default ``auto``."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from torch import Tensor

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.explanation.attention_maps import (
    attention_feature_maps,
    attention_maps,
    head_maps,
)
from lesionlens.explanation.cam import CAM_WEIGHTINGS, cam, gradient_map
from lesionlens.models.base import Classifier
from lesionlens.models.map_titles import FEATURE_MAP_PREFIX

MapMethod: TypeAlias = Callable[[Classifier, Tensor, Tensor | None], dict[str, Tensor]]
"""Function of network, images (b, 3, h, w) or crops (b, n, 3, h, w), and class indices (b,) or None to named maps."""


def _gradient_method(weighting: str) -> MapMethod:
    name = weighting.replace("+", "p")  # gradcampp, because a plus means a space in URLs

    def method(model: Classifier, images: Tensor, target: Tensor | None) -> dict[str, Tensor]:
        return {name: gradient_map(model, images, weighting=weighting, target=target)}

    return method


METHODS: dict[str, MapMethod] = {
    "attention": lambda model, images, _: attention_maps(model, images),
    "attention-features": lambda model, images, _: attention_feature_maps(model, images),
    "heads": lambda model, images, _: head_maps(model, images),
    "cam": lambda model, images, target: {"cam": cam(model, images, target=target)},
    **{weighting: _gradient_method(weighting) for weighting in CAM_WEIGHTINGS},
}

ALL_METHODS = ("attention", "cam", *CAM_WEIGHTINGS)
"""The methods of ``all``: the network's attention maps, and those that explain a class."""


def map_file_name(map_name: str) -> str:
    """Return the name of a map in file names.

    Examples
    --------
    >>> [map_file_name(name) for name in ("gate pool4", "gradcam++", "heads")]
    ['gate-pool4', 'gradcampp', 'soft-heads']
    """
    return "soft-heads" if map_name == "heads" else map_name.replace(" ", "-").replace("+", "p")


def method_of_map(map_name: str) -> str:
    """Return the method that computes a map; a name that is not of a method is of a map of the network itself.

    Examples
    --------
    >>> [method_of_map(name) for name in ("gradcam++", "gate pool4", "features-layer4.2")]
    ['gradcam++', 'attention', 'attention-features']
    """
    key = map_file_name(map_name)
    if key.startswith(FEATURE_MAP_PREFIX):
        return "attention-features"
    return next((name for name in METHODS if map_file_name(name) == key), "attention")


def compute_maps_by_name(
    model: Classifier, images: Tensor, *, methods: Iterable[str] = ("auto",), target: Tensor | None = None
) -> dict[str, Tensor]:
    """Compute the maps of all requested methods, in the order of the methods.

    Parameters
    ----------
    model, images, target
        As for ``gradient_map``.
    methods
        Keys of ``METHODS``; ``auto`` (default): attention if the network has attention maps, and gradcam if possible;
        or ``all``: those of ``ALL_METHODS`` that work on the network.

    Returns
    -------
    dict
        Maps (b, h, w) by names that are valid in file names; for a network of crops maps (b, n, h, w) and weights
        (b, n). ``soft-heads`` has one more axis, before height and width.

    Raises
    ------
    ModelError
        A method does not exist or does not work on the network.
    """
    maps: dict[str, Tensor] = {}
    for name in dict.fromkeys(methods):
        if name == "auto":
            maps |= _possible_maps(model, images, target, ("attention", "gradcam"))
        elif name == "all":
            maps |= _possible_maps(model, images, target, ALL_METHODS)
        elif name in METHODS:
            maps |= METHODS[name](model, images, target)
        else:
            raise ModelError(unknown_name_message("explanation method", name, [*METHODS, "auto", "all"]))
    return maps


def _possible_maps(
    model: Classifier, images: Tensor, target: Tensor | None, methods: Iterable[str]
) -> dict[str, Tensor]:
    """Compute the maps of the methods that work on the network; raise the last error if none does."""
    maps: dict[str, Tensor] = {}
    for name in methods:
        try:
            maps |= METHODS[name](model, images, target)
        except ModelError as error:
            failure = error
    if not maps:
        raise failure
    return maps
