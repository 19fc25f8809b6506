"""Patch attention: the crops of an image attend to one another, and each is scaled by one weight.

Source: Gessert et al. 2019, "Skin Lesion Classification Using CNNs with Patch-Based Attention and Diagnosis-Guided
Loss Weighting", section II-E, which applies squeeze-and-excitation (Hu et al. 2018) to crops instead of channels. As
in the authors' code there is one layer, no bottleneck and no ReLU.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from timm.models.vgg import VGG
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.models.backbone import list_stages


class PatchAttentionOutput(NamedTuple):
    """Scaled crops and their weights.

    Attributes
    ----------
    crops
        Scaled crops, of the shape of the input.
    weights
        Weight of each crop, (b, n).
    """

    crops: Tensor
    weights: Tensor


class PatchAttention(nn.Module):
    """Scale each crop of an image by a weight between 0 and 1 that depends on all of them.

    A crop is described by the mean of all its values: for raw pixels its brightness, for a pooled vector its mean
    feature.

    Parameters
    ----------
    num_crops
        Number of crops n; the layer has n² + n parameters with PyTorch's default initialization of a linear layer.
    """

    def __init__(self, num_crops: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_crops, num_crops)

    def forward(self, crops: Float[Tensor, "b n *values"]) -> PatchAttentionOutput:
        """Scale raw crops (b, n, 3, h, w) or vectors (b, n, f); return them with the weights.

        The weights are computed in the precision of the layer, even under autocast.
        """
        with torch.autocast(crops.device.type, enabled=False):
            descriptors = crops.flatten(2).mean(dim=2, dtype=self.linear.weight.dtype)
            weights = self.linear(descriptors).sigmoid()
        per_crop = weights.reshape(*weights.shape, *[1] * (crops.ndim - 2))
        return PatchAttentionOutput(crops=crops * per_crop.to(crops.dtype), weights=weights)


class InnerPatchAttention(nn.Module):
    """Patch attention after layers of the network that processes each crop ("at any layer j", section II-E).

    A crop is described by the mean of its feature map after the layer, and the feature map is scaled by its weight.

    Parameters
    ----------
    layers
        Names of stages or other layers of a backbone, see ``find_layer``.
    num_crops
        Number of crops n.
    """

    def __init__(self, layers: Sequence[str], num_crops: int) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.attention = nn.ModuleList(PatchAttention(num_crops) for _ in self.layers)

    @contextmanager
    def attending(self, backbone: nn.Module, num_crops: int) -> Iterator[dict[str, Tensor]]:
        """Scale the outputs of the layers while the backbone processes all crops of images, (b · n, …).

        Yields
        ------
        dict
            Weights of the crops (b, n) by layer, once the backbone has run.

        Raises
        ------
        ModelError
            The backbone has no such layer, or did not call one of them.
        """
        weights: dict[str, Tensor] = {}
        with ExitStack() as hooks:
            for name, attention in zip(self.layers, self.attention, strict=True):
                attend = partial(_scale_output, name=name, attention=attention, n=num_crops, weights=weights)
                hooks.enter_context(find_layer(backbone, name).register_forward_hook(attend))
            yield weights
        if unused := [name for name in self.layers if name not in weights]:
            raise ModelError(
                f"patch attention after {', '.join(unused)} does not work here, because the network does not call this "
                "layer as a module. Use another layer, or patch with none, multi-stage, gate or soft"
            )


def find_layer(backbone: nn.Module, name: str) -> nn.Module:
    """Return a layer of a backbone by the name of a stage (``layer3``, ``pool3`` of a VGG) or of any module.

    Raises
    ------
    ModelError
        There is no such layer: lists the stages.
    """
    pools = (
        [m for m in backbone.modules() if isinstance(m, nn.MaxPool2d)] if isinstance(backbone, VGG) else []
    )
    layers = {f"pool{n}": pool for n, pool in enumerate(pools, 1)} or dict(backbone.named_modules())
    if name in layers and name:
        return layers[name]
    names = [stage.name for stage in list_stages(backbone)]
    raise ModelError(
        unknown_name_message("layer", name, names) + ", or the name of any other module of the backbone"
    )


def _scale_output(
    _layer: nn.Module,
    _inputs: Any,
    output: Any,
    *,
    name: str,
    attention: nn.Module,
    n: int,
    weights: dict[str, Tensor],
) -> Tensor:
    """Scale the output of a layer, (b · n, …), by the weight of each crop, and record the weights."""
    if not isinstance(output, Tensor):
        raise ModelError(f"patch attention after {name} needs a layer with one output. Use another layer")
    attended: PatchAttentionOutput = attention(output.reshape(-1, n, *output.shape[1:]))
    weights[name] = attended.weights
    return attended.crops.flatten(0, 1)
