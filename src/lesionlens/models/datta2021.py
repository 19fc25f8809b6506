"""Networks that Datta et al. 2021 train from scratch: their own ResNet34 and VGG16, with soft attention.

Source: Datta et al. 2021, "Soft-Attention Improves Skin Cancer Classification Performance", sections 3.3.3 and 3.3.4
and figures 5b and 8. They are neither He et al.'s ResNet34 nor Simonyan and Zisserman's VGG16. The paper gives only the
figures; the layers follow public copies of the authors' notebooks and have as many parameters as these print. ReLU
always precedes batch norm, with Keras' epsilon and momentum and Keras' padding ``same``.

The paper states that all five backbones are trained on ImageNet; for these two no such weights exist. The networks
without attention are not published: here only the unit is removed; the feature map is pooled by 2 at its position. As
in their code, kernels are initialized with He et al.'s normal (VGG16) or Glorot and Bengio's uniform distribution
(ResNet34, hidden layers); the last layer is initialized near zero, as in all networks here.
"""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.models.attention.soft import SoftAttentionBlock
from lesionlens.models.base import Classifier, Features
from lesionlens.models.soft_attention import AdaptiveFlatten
from lesionlens.models.types import Images

VGG_HIDDEN_UNITS = 4096  # of each of the two hidden layers of VGG16


def pad_same(
    x: Float[Tensor, "b c h w"], *, kernel_size: int, stride: int, value: float = 0.0
) -> Float[Tensor, "b c i j"]:
    """Pad so that a strided window yields ⌈size / stride⌉ positions; an odd padding is larger at the end."""
    height, width = (max((-(-n // stride) - 1) * stride + kernel_size - n, 0) for n in x.shape[2:])
    ends = (width // 2, width - width // 2, height // 2, height - height // 2)
    return F.pad(x, ends, value=value)


class SamePadMaxPool2d(nn.Module):
    """Max pooling with the padding of ``pad_same``."""

    def __init__(self, kernel_size: int = 2, stride: int = 2) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c i j"]:
        """Pad and pool."""
        padded = pad_same(x, kernel_size=self.kernel_size, stride=self.stride, value=float("-inf"))
        return F.max_pool2d(padded, self.kernel_size, self.stride)


class ConvReLUBatchNorm(nn.Module):
    """Convolution with bias, ReLU and batch norm, in this order."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride)
        self.norm = nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.01)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """Pad, and apply the three layers."""
        padded = pad_same(x, kernel_size=self.conv.kernel_size[0], stride=self.conv.stride[0])
        y: Tensor = self.norm(F.relu(self.conv(padded)))
        return y


class ResidualBlock(nn.Module):
    """Two convolutions plus the identity or, in the later stages, plus a third convolution in every block."""

    def __init__(self, in_channels: int, out_channels: int, *, project_shortcut: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ConvReLUBatchNorm(in_channels, out_channels), ConvReLUBatchNorm(out_channels, out_channels)
        )
        self.skip = ConvReLUBatchNorm(in_channels, out_channels) if project_shortcut else nn.Identity()

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Add both branches and apply ReLU."""
        return F.relu(self.skip(x) + self.body(x))


class SplitBackbone(nn.Module):
    """Backbone in two parts, before and after soft attention; between them the feature map is max-pooled by 2.

    Attributes
    ----------
    stem, body
        Layers before and after attention.
    channels
        Number of output channels of ``stem``.
    num_features
        Number of output channels of ``body``.
    """

    def __init__(self, stem: nn.Module, body: nn.Module, *, channels: int, num_features: int) -> None:
        super().__init__()
        self.stem, self.body = stem, body
        self.channels, self.num_features = channels, num_features


def _residual_stage(
    in_channels: int, out_channels: int, num_blocks: int, *, project_shortcut: bool = True
) -> nn.Sequential:
    inputs = [in_channels] + [out_channels] * (num_blocks - 1)
    return nn.Sequential(
        *(ResidualBlock(channels, out_channels, project_shortcut=project_shortcut) for channels in inputs)
    )


def resnet34(concat_factor: int) -> SplitBackbone:
    """Build stages of 3, 4, 6 and 3 blocks of 64 to 512 channels.

    Attention follows the second stage (28×28×128 at 224 pixels).

    Parameters
    ----------
    concat_factor
        Ratio of the channels after and before attention: 2 with attention, 1 without.
    """
    stem = nn.Sequential(
        ConvReLUBatchNorm(3, 64, stride=2), SamePadMaxPool2d(3), _residual_stage(64, 64, 3, project_shortcut=False),
        SamePadMaxPool2d(), _residual_stage(64, 128, 4),
    )  # fmt: skip
    body = nn.Sequential(
        _residual_stage(concat_factor * 128, 256, 6), SamePadMaxPool2d(), _residual_stage(256, 512, 3)
    )
    return _init_weights(SplitBackbone(stem, body, channels=128, num_features=512), nn.init.xavier_uniform_)


def _conv_layers(in_channels: int, out_channels: int, num_layers: int) -> list[nn.Module]:
    inputs = [in_channels] + [out_channels] * (num_layers - 1)
    return [
        ConvReLUBatchNorm(channels, out_channels, kernel_size=3 if n < num_layers else 1)
        for n, channels in enumerate(inputs, 1)
    ]


def vgg16(concat_factor: int) -> SplitBackbone:
    """Build blocks of 2, 2, 3, 3 and 3 convolutions, of which the third of a block is 1×1.

    Attention follows the fourth block (28×28×512 at 224 pixels).

    Parameters
    ----------
    concat_factor
        As for ``resnet34``.
    """
    stem = nn.Sequential(
        *_conv_layers(3, 64, 2), SamePadMaxPool2d(), *_conv_layers(64, 128, 2), SamePadMaxPool2d(),
        *_conv_layers(128, 256, 3), SamePadMaxPool2d(), *_conv_layers(256, 512, 3),
    )  # fmt: skip
    body = nn.Sequential(*_conv_layers(concat_factor * 512, 512, 3))
    return _init_weights(SplitBackbone(stem, body, channels=512, num_features=512), nn.init.kaiming_normal_)


def _init_weights(backbone: SplitBackbone, init: Callable[[Tensor], Tensor]) -> SplitBackbone:
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            init(module.weight)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return backbone


def _hidden_layers(in_channels: int) -> nn.Sequential:
    """Build the two hidden layers of the VGG16 after its last pooling."""
    first = nn.Linear(16 * in_channels, VGG_HIDDEN_UNITS)
    second = nn.Linear(VGG_HIDDEN_UNITS, VGG_HIDDEN_UNITS)
    for layer in (first, second):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(SamePadMaxPool2d(4, 4), AdaptiveFlatten(4), first, nn.ReLU(), second, nn.ReLU())


DATTA_BACKBONES: dict[str, Callable[[int], SplitBackbone]] = {
    "datta_resnet34": resnet34,
    "datta_vgg16": vgg16,
}


class DattaNet(Classifier):
    """One of the two networks without attention.

    Parameters
    ----------
    name
        ``datta_resnet34`` or ``datta_vgg16``.
    num_classes
        Number of classes k.
    kwargs
        No further options are accepted.

    Raises
    ------
    ModelError
        The network does not exist, or does not accept an option.
    """

    _concat_factor = 1  # channels after attention / channels before

    def __init__(self, name: str, *, num_classes: int, **kwargs: Any) -> None:
        super().__init__()
        if name not in DATTA_BACKBONES:
            raise ModelError(unknown_name_message("network", name, DATTA_BACKBONES))
        if kwargs:
            raise ModelError(
                f"{name} does not accept {', '.join(sorted(kwargs))}. Without attention no options are allowed; with "
                "attention=soft: dropout, heads, initial_gamma, mode"
            )
        self.backbone: SplitBackbone = DATTA_BACKBONES[name](self._concat_factor)
        self.neck = _hidden_layers(self.backbone.num_features) if name == "datta_vgg16" else None
        self.num_features = self.backbone.num_features if self.neck is None else VGG_HIDDEN_UNITS
        self.add_head(num_classes)

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Return the last feature map; there are no attention maps."""
        pooled = F.max_pool2d(self.backbone.stem(x), 2, 2, ceil_mode=True)
        return Features(feature_map=self.backbone.body(pooled), maps={})

    def pool(self, features: Features) -> Tensor:
        """Average the feature map (ResNet34), or pool it by 4 and apply the hidden layers (VGG16), (b, f)."""
        feature_map = features.feature_map
        pooled: Tensor = feature_map.mean(dim=(2, 3)) if self.neck is None else self.neck(feature_map)
        return pooled

    def linear_head_weight(self) -> Tensor | None:
        """Return the weight (k, c) if the feature map is averaged, otherwise None."""
        return self.head.weight if self.neck is None else None


class DattaSoftAttentionNet(DattaNet):
    """One of the two networks with the soft-attention block between its two parts.

    Parameters
    ----------
    name, num_classes, kwargs
        As for ``DattaNet``.
    heads, mode, dropout, initial_gamma
        As for ``SoftAttentionBlock``.

    Raises
    ------
    ModelError
        The network or mode does not exist, or the network does not accept an option.
    """

    _concat_factor = 2

    def __init__(
        self,
        name: str,
        *,
        num_classes: int,
        heads: int = 16,
        mode: str = "paper",
        dropout: float = 0.5,
        initial_gamma: float = 0.01,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, num_classes=num_classes, **kwargs)
        self.soft = SoftAttentionBlock(
            self.backbone.channels, heads=heads, mode=mode, dropout=dropout, initial_gamma=initial_gamma
        )
        self.attention_scales = tuple(
            key for key, _ in self.named_parameters() if key == "soft.attention.gamma"
        )

    def forward_features(self, x: Images, *, maps: bool = False) -> Features:
        """Return the last feature map and, if requested, the maps of the block before pooling."""
        output = self.soft(self.backbone.stem(x))
        return Features(
            feature_map=self.backbone.body(output.feature_map), maps=output.named_maps() if maps else {}
        )
