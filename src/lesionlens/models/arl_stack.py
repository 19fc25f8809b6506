"""Attention learning between a low and a high layer of any network, without residual learning.

Source: Zhang et al. 2019, section III.A.2, equations 3 to 7: the output O of the highest of several stacked layers,
normalized, is the attention mask of the input x of the lowest of them, A = N(O) · x. The paper uses A only in residual
blocks (equation 9, ``arl_resnet``). Here the stack returns O + alpha · A, which is equation 9 without the identity. As
there, alpha is learned, and a ReLU follows the sum.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, cast

import torch
from timm.models.vgg import VGG
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.models.arl_resnet import INITIAL_ALPHA, MAP_VALUE_RANGES
from lesionlens.models.attention.arl import get_normalization
from lesionlens.models.base import Features, TimmClassifier
from lesionlens.models.types import Images

LayerPair = tuple[str, str]


class ARLStackNet(TimmClassifier):
    """timm backbone in which the output of high layers attends to the input of low layers.

    Parameters
    ----------
    name
        Name of a timm model.
    num_classes
        Number of classes k.
    pairs
        Names of the low and the high layer of each stack, as modules of the backbone; the input of the former and the
        output of the latter must have the same shape. Default, for a VGG: in each stage of two or more convolutions,
        from the second convolution to the last one, or to its batch norm.
    normalization, alpha
        As for ``ARLResNet``.
    kwargs
        Further options of the timm model.

    Raises
    ------
    ModelError
        The backbone does not have these layers, or is not a VGG and ``pairs`` is missing.
    """

    def __init__(
        self,
        name: str,
        *,
        num_classes: int,
        pairs: Sequence[Sequence[str]] | None = None,
        normalization: str = "spatial",
        alpha: float = INITIAL_ALPHA,
        **kwargs: Any,
    ) -> None:
        get_normalization(normalization)  # raises for an unknown name
        super().__init__(name, num_classes=num_classes, **kwargs)
        self.normalization = normalization
        self.pairs = _vgg_pairs(self.backbone, name) if pairs is None else _check_pairs(pairs, self.backbone)
        for _, high in self.pairs:
            self.backbone.get_submodule(high).register_parameter("alpha", nn.Parameter(torch.tensor(alpha)))
        self.map_value_range = MAP_VALUE_RANGES[normalization]
        self.attention_scales = tuple(f"backbone.{high}.alpha" for _, high in self.pairs)

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Return timm's features and, if requested, the channel mean of each mask by the name of its high layer."""
        with self._attending() as masks:
            features = super().forward_features(x)
        return features._replace(
            maps={name: mask.mean(dim=1) for name, mask in masks.items()} if maps else {}
        )

    @contextmanager
    def _attending(self) -> Iterator[dict[str, Tensor]]:
        """Add the attention feature map to the output of each high layer; yield the masks, (b, c, h, w)."""
        inputs, masks = dict[str, Tensor](), dict[str, Tensor]()
        with ExitStack() as hooks:
            for low, high in self.pairs:
                record = partial(_record_input, name=high, inputs=inputs)
                attend = partial(
                    _attend, name=high, inputs=inputs, masks=masks, normalization=self.normalization
                )
                hooks.enter_context(self.backbone.get_submodule(low).register_forward_pre_hook(record))
                hooks.enter_context(self.backbone.get_submodule(high).register_forward_hook(attend))
            yield masks


def _record_input(_layer: nn.Module, args: tuple[Any, ...], *, name: str, inputs: dict[str, Tensor]) -> None:
    """Record the input x of a low layer by the name of its high layer."""
    inputs[name] = args[0]


def _attend(
    layer: nn.Module,
    _args: tuple[Any, ...],
    output: Tensor,
    *,
    name: str,
    inputs: dict[str, Tensor],
    masks: dict[str, Tensor],
    normalization: str,
) -> Tensor:
    """Return O + alpha · N(O) · x in the dtype of O; mask and sum are float32 even under autocast."""
    x = inputs.pop(name, None)
    if x is None or x.shape != output.shape:
        raise ModelError(
            f"attention learning needs a low layer that runs before {name} and whose input has the shape of the output "
            f"of {name}, {tuple(output.shape)}; got {None if x is None else tuple(x.shape)}. Set other pairs"
        )
    wide = torch.promote_types(output.dtype, torch.float32)
    with torch.autocast(x.device.type, enabled=False):
        high, low = output.to(wide), x.to(wide)
        masks[name] = get_normalization(normalization).compute_mask(high)
        y = high + cast(Tensor, layer.alpha).to(wide) * masks[name] * low
    return y.to(output.dtype)


def _check_pairs(pairs: Sequence[Sequence[str]], backbone: nn.Module) -> tuple[LayerPair, ...]:
    modules = dict(backbone.named_modules())
    checked = []
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2:
            raise ModelError(
                f"pairs: {pair!r} is not a pair of a low and a high layer, such as [conv1, conv2]"
            )
        for layer in pair:
            if layer not in modules or not layer:
                raise ModelError(unknown_name_message("layer", str(layer), list(modules)[1:]))
        checked.append((pair[0], pair[1]))
    if not checked or len({high for _, high in checked}) < len(checked):
        raise ModelError("pairs must name one pair of layers or more, each with a high layer of its own")
    return tuple(checked)


def _vgg_pairs(backbone: nn.Module, name: str) -> tuple[LayerPair, ...]:
    """Return the layers after the first ReLU and before the last one of each stage with two or more convolutions."""
    if not isinstance(backbone, VGG):
        raise ModelError(
            f"the stacks of {name!r} are not known, as it is not a VGG. Set pairs to the low and high layers of "
            "stacks, such as [[conv1, conv2]]; on residual networks, use attention=arl"
        )
    pairs, activations = [], []
    for index, layer in enumerate(backbone.features):
        if isinstance(layer, nn.ReLU):
            activations.append(index)
        if isinstance(layer, nn.MaxPool2d):
            if len(activations) > 1:
                pairs.append((f"features.{activations[0] + 1}", f"features.{activations[-1] - 1}"))
            activations = []
    return tuple(pairs)
