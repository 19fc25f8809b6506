"""The methods by name, and what ``auto`` means."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from torch import Tensor

from lesionlens.errors import ModelError, unknown
from lesionlens.explanation.cam import cam, gradcam
from lesionlens.explanation.native import maps_if_any, native_maps
from lesionlens.models.classifier import Classifier

Method: TypeAlias = Callable[[Classifier, Tensor, Tensor | None], dict[str, Tensor]]
"""Network, images (b, 3, h, w) and class indices (b,) or None, to maps (b, h, w) by name."""

METHODS: dict[str, Method] = {
    "native": lambda model, images, _: native_maps(model, images),
    "cam": lambda model, images, target: {"cam": cam(model, images, target=target)},
    "gradcam": lambda model, images, target: {"gradcam": gradcam(model, images, target=target)},
}


def maps_of(
    model: Classifier, images: Tensor, *, methods: Iterable[str] = ("auto",), target: Tensor | None = None
) -> dict[str, Tensor]:
    """Make all maps that were asked for, each (b, h, w), in the order of the methods.

    Parameters
    ----------
    model, images, target
        As for ``gradcam``.
    methods
        ``native``, ``cam``, ``gradcam``; ``auto`` is native where the network has maps, and gradcam where it fits.

    Raises
    ------
    ModelError
        A method that does not exist or does not fit the network.
    """
    maps: dict[str, Tensor] = {}
    for name in dict.fromkeys(methods):
        if name == "auto":
            maps |= _auto(model, images, target)
        elif name in METHODS:
            maps |= METHODS[name](model, images, target)
        else:
            raise ModelError(unknown("explanation method", name, [*METHODS, "auto"]))
    return maps


def _auto(model: Classifier, images: Tensor, target: Tensor | None) -> dict[str, Tensor]:
    """Make every map that fits the network; that none does is an error."""
    maps = maps_if_any(model, images)
    try:
        return maps | METHODS["gradcam"](model, images, target)
    except ModelError:
        if maps:
            return maps
        raise
