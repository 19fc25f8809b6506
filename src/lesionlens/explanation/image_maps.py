"""The maps of one image, made from its crops and brought back to its pixels."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from lesionlens.crops.box import Box
from lesionlens.crops.stitch import stitch
from lesionlens.explanation.frames import frames
from lesionlens.explanation.methods import maps_of
from lesionlens.explanation.render import overlay
from lesionlens.explanation.sheet import sheet
from lesionlens.models.classifier import Classifier


def maps_of_crops(
    model: Classifier,
    crops: Float[Tensor, "n 3 h w"],
    *,
    methods: Iterable[str] = ("auto",),
    target: int | None = None,
) -> dict[str, Float[Tensor, "n ..."]]:
    """Make one image's maps by name: all crops at once for a network of crops, else one after another.

    Parameters
    ----------
    model
        Any network.
    crops
        The image's preprocessed crops.
    methods, target
        As for ``maps_of``.

    Returns
    -------
    dict
        Weights of the crops (n,), maps of places (n, h, w), or maps of each head (n, heads, h, w).

    Raises
    ------
    ModelError
        A method that does not exist or does not fit the network.
    """
    methods = tuple(methods)
    wanted = None if target is None else torch.tensor([target])
    if model.crops is not None:
        found = maps_of(model, crops[None], methods=methods, target=wanted)
        return {name: values[0] for name, values in found.items()}
    # one by one: the gradients of many crops at once would take much memory
    each = [maps_of(model, crop[None], methods=methods, target=wanted) for crop in crops]
    return {name: torch.cat([found[name] for found in each]) for name in each[0]}


def drawn(
    image: UInt8[ndarray, "h w 3"], values: Float[ndarray, "n ..."], boxes: Sequence[Box]
) -> UInt8[ndarray, "drawn_h drawn_w 3"]:
    """Draw a map over its image: weights as frames, places in colour, heads as a sheet of many small pictures.

    Parameters
    ----------
    image
        RGB, (h, w, 3).
    values
        One map of ``maps_of_crops``.
    boxes
        Where each of the n crops lies in the image.

    Raises
    ------
    ModelError
        The map holds values that are not finite.
    """
    if values.ndim == 1:
        return frames(image, boxes, values)
    if values.ndim == 4:
        return sheet([drawn(image, head, boxes) for head in np.moveaxis(values, 1, 0)])
    found = stitch(values, boxes, height=image.shape[0], width=image.shape[1])
    return overlay(image, found.values, seen=found.seen)
