"""The maps that a network makes itself: attention, not an explanation added afterwards."""

import re

import torch
from jaxtyping import Float
from torch import Tensor

from lesionlens.core.errors import ModelError
from lesionlens.explanation.cam import eval_mode
from lesionlens.models.base import Classifier
from lesionlens.models.multi_stage import GatedClassifier
from lesionlens.models.patch_attention import PatchAttentionNet
from lesionlens.models.residual_attention import ResidualAttentionNet

HEAD_MAP_NAME = re.compile(r"soft head \d+")
MAP_NAME_PREFIXES: dict[type[Classifier], str] = {GatedClassifier: "gate-", ResidualAttentionNet: "ran-"}
"""What is put before the name of a stage; the masks of ARL are called as the stages are."""


def attention_maps(
    model: Classifier, images: Float[Tensor, "b ... 3 h w"]
) -> dict[str, Float[Tensor, "b ..."]]:
    """Give a network's attention maps on their own grids, by names that are safe in file names.

    ``layer1`` … are ARL's masks (of each stage's last block), ``ran-layer1`` … those of residual attention, both
    averaged over channels; ``gate-pool3`` … are gates, ``soft`` is soft attention, the sum of its heads, and
    ``initial-crops`` and ``end-crops`` are the weights of crops. Compare places within a map, not values between maps.

    Parameters
    ----------
    model
        Any network.
    images
        Preprocessed images (b, 3, h, w), or their crops (b, n, 3, h, w) for a network of crops.

    Returns
    -------
    dict
        Of images maps (b, h, w); of crops maps (b, n, h, w), and weights (b, n).

    Raises
    ------
    ModelError
        The network has no maps of its own.
    """
    maps = attention_maps_or_empty(model, images)
    if not maps:
        raise ModelError(
            f"{type(model).__name__} makes no attention maps of its own; ask for method gradcam, "
            "which works on any network"
        )
    return maps


def attention_maps_or_empty(
    model: Classifier, images: Float[Tensor, "b ... 3 h w"]
) -> dict[str, Float[Tensor, "b ..."]]:
    """Give what ``attention_maps`` does: nothing where the network has none."""
    found = _all_maps(model, images)
    return {_slug(name, model): values for name, values in found.items() if not HEAD_MAP_NAME.fullmatch(name)}


def head_maps(
    model: Classifier, images: Float[Tensor, "b ... 3 h w"]
) -> dict[str, Float[Tensor, "b ... heads grid_h grid_w"]]:
    """Give the map of each head of soft attention, stacked, as ``soft-heads``.

    Raises
    ------
    ModelError
        The network has no soft attention.
    """
    heads = [values for name, values in _all_maps(model, images).items() if HEAD_MAP_NAME.fullmatch(name)]
    if not heads:
        raise ModelError(
            f"method heads draws each head of soft attention, and {type(model).__name__} has none here; ask for "
            "attention or gradcam, or build the network with attention=soft"
        )
    return {"soft-heads": torch.stack(heads, dim=-3)}


def _all_maps(model: Classifier, images: Tensor) -> dict[str, Tensor]:
    with eval_mode(model):
        return {name: found.float() for name, found in model(images, maps=True).maps.items()}


def _slug(name: str, model: Classifier) -> str:
    inner = model.inner if isinstance(model, PatchAttentionNet) else model
    of_a_stage = not name.startswith("soft") and not name.endswith(" crops")
    return (MAP_NAME_PREFIXES.get(type(inner), "") if of_a_stage else "") + name.replace(" ", "-")
