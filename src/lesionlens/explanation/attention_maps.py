"""Attention maps that a network computes itself, in contrast to explanations computed afterwards (``cam``)."""

import re

import torch
from jaxtyping import Float
from torch import Tensor

from lesionlens.core.errors import ModelError
from lesionlens.explanation.cam import eval_mode
from lesionlens.models.arl_resnet import ARLResNet
from lesionlens.models.arl_stack import ARLStackNet
from lesionlens.models.base import Classifier
from lesionlens.models.map_titles import FEATURE_MAP_PREFIX
from lesionlens.models.multi_stage import GatedClassifier
from lesionlens.models.patch_attention import PatchAttentionNet
from lesionlens.models.residual_attention_network import ResidualAttentionNetwork

HEAD_MAP_NAME = re.compile(r"soft head \d+")
MAP_NAME_PREFIXES: dict[type[Classifier], str] = {
    GatedClassifier: "gate-", ResidualAttentionNetwork: "ran-", ARLStackNet: "arl-",
}  # fmt: skip
"""Prefix of the stage in the name of a map; ARL's masks are named by the stage only."""


def attention_maps(
    model: Classifier, images: Float[Tensor, "b ... 3 h w"]
) -> dict[str, Float[Tensor, "b ..."]]:
    """Return the attention maps of a network at their own resolution, by names that are valid in file names.

    ``layer1`` … are ARL's masks (of each stage's last block), ``arl-features.14`` … those of attention learning in a
    stack of layers, and ``ran-layer1`` … those of residual attention, all averaged over channels; ``gate-pool3`` … are
    gates, ``soft`` is soft attention (the sum of its heads), and ``initial-crops``, ``layer2-crops`` … and
    ``end-crops`` are the weights of crops. Values can be compared within a map, but not between maps.

    Parameters
    ----------
    model
        Any network.
    images
        Preprocessed images (b, 3, h, w), or their crops (b, n, 3, h, w) for a network of crops.

    Returns
    -------
    dict
        Maps (b, h, w); for a network of crops, maps (b, n, h, w) and weights (b, n).

    Raises
    ------
    ModelError
        The network has no attention maps.
    """
    maps = attention_maps_or_empty(model, images)
    if not maps:
        raise ModelError(
            f"{type(model).__name__} has no attention maps. Use method gradcam, which works on any network"
        )
    return maps


def attention_maps_or_empty(
    model: Classifier, images: Float[Tensor, "b ... 3 h w"]
) -> dict[str, Float[Tensor, "b ..."]]:
    """Return the maps as ``attention_maps`` does; empty if the network has none."""
    maps = _all_maps(model, images)
    return {_slug(name, model): values for name, values in maps.items() if not HEAD_MAP_NAME.fullmatch(name)}


def head_maps(
    model: Classifier, images: Float[Tensor, "b ... 3 h w"]
) -> dict[str, Float[Tensor, "b ... heads grid_h grid_w"]]:
    """Return the maps of all heads of soft attention as one map ``soft-heads``, (b, heads, h, w).

    Raises
    ------
    ModelError
        The network has no soft attention.
    """
    heads = [values for name, values in _all_maps(model, images).items() if HEAD_MAP_NAME.fullmatch(name)]
    if not heads:
        raise ModelError(
            f"method heads shows the heads of soft attention, and {type(model).__name__} has none. Use attention or "
            "gradcam, or build the network with attention=soft"
        )
    return {"soft-heads": torch.stack(heads, dim=-3)}


def attention_feature_maps(
    model: Classifier, images: Float[Tensor, "b ... 3 h w"]
) -> dict[str, Float[Tensor, "b ..."]]:
    """Return the attention feature map of each block of an ARL-CNN, ``features-layer2.0`` and so on.

    It is the product of mask and identity of Zhang et al. 2019, equation 8, averaged over channels, (b, h, w).

    Raises
    ------
    ModelError
        The network is not an ARL-CNN, or is a network of crops.
    """
    if not isinstance(model, ARLResNet):
        raise ModelError(
            f"method attention-features shows the attention feature maps of ARL-CNNs, and {type(model).__name__} is "
            "none. Use attention or gradcam, or build the network with attention=arl"
        )
    with eval_mode(model):
        feature_maps = model.attention_feature_maps(images)
    return {f"{FEATURE_MAP_PREFIX}{name}": values.float() for name, values in feature_maps.items()}


def _all_maps(model: Classifier, images: Tensor) -> dict[str, Tensor]:
    with eval_mode(model):
        return {name: values.float() for name, values in model(images, maps=True).maps.items()}


def _slug(name: str, model: Classifier) -> str:
    inner = model.inner if isinstance(model, PatchAttentionNet) else model
    names_stage = not name.startswith("soft") and not name.endswith(" crops")
    return (MAP_NAME_PREFIXES.get(type(inner), "") if names_stage else "") + name.replace(" ", "-")
