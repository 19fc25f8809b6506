"""The maps of one image, made from its crops and brought back to its pixels."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from lesionlens.crops.box import CropBox
from lesionlens.crops.stitch import stitch
from lesionlens.explanation.frames import draw_crop_frames
from lesionlens.explanation.methods import compute_maps_by_name
from lesionlens.explanation.render import overlay
from lesionlens.explanation.sheet import image_grid
from lesionlens.models.classifier import Classifier


def compute_maps(
    model: Classifier,
    crops: Float[Tensor, "n 3 h w"],
    *,
    methods: Iterable[str] = ("auto",),
    target_index: int | None = None,
) -> dict[str, Float[Tensor, "n ..."]]:
    """Make one image's maps by name: all crops at once for a network of crops, else one after another.

    Parameters
    ----------
    model
        Any network.
    crops
        The image's preprocessed crops.
    methods, target_index
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
    wanted = None if target_index is None else torch.tensor([target_index])
    if model.num_crops is not None:
        found = compute_maps_by_name(model, crops[None], methods=methods, target=wanted)
        return {name: values[0] for name, values in found.items()}
    # one by one: the gradients of many crops at once would take much memory
    each = [compute_maps_by_name(model, crop[None], methods=methods, target=wanted) for crop in crops]
    return {name: torch.cat([found[name] for found in each]) for name in each[0]}


def draw_map(
    image: UInt8[ndarray, "h w 3"], values: Float[ndarray, "n ..."], boxes: Sequence[CropBox]
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
        return draw_crop_frames(image, boxes, values)
    if values.ndim == 4:
        return image_grid([draw_map(image, head, boxes) for head in np.moveaxis(values, 1, 0)])
    found = stitch(values, boxes, height=image.shape[0], width=image.shape[1])
    return overlay(image, found.values, coverage=found.coverage)
