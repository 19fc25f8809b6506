"""The two trunks that Datta et al. 2021 train from scratch, each in two halves with room for attention between.

They are neither He et al.'s ResNet34 nor Simonyan and Zisserman's VGG16. The paper only gives their figures 5b and 8;
layer by layer they are as in public copies of the authors' notebooks, and have as many parameters as these print.
Everywhere ReLU comes before batch norm, with Keras' epsilon and momentum and Keras' padding ``same``.
"""

from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def pad_same(
    x: Float[Tensor, "b c h w"], *, kernel_size: int, stride: int, value: float = 0.0
) -> Float[Tensor, "b c i j"]:
    """Pad so that a window with a stride gives ⌈size / stride⌉ places; of an odd number, more at the end."""
    height, width = (max((-(-n // stride) - 1) * stride + kernel_size - n, 0) for n in x.shape[2:])
    ends = (width // 2, width - width // 2, height // 2, height - height // 2)
    return F.pad(x, ends, value=value)


class SamePadMaxPool2d(nn.Module):
    """Maximum over windows, padded as by ``pad_same``."""

    def __init__(self, kernel_size: int = 2, stride: int = 2) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c i j"]:
        """Pool."""
        padded = pad_same(x, kernel_size=self.kernel_size, stride=self.stride, value=float("-inf"))
        return F.max_pool2d(padded, self.kernel_size, self.stride)


class ConvReLUBatchNorm(nn.Module):
    """Convolution with bias, ReLU, batch norm, in this order."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride)
        self.norm = nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.01)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """Apply the three."""
        padded = pad_same(x, kernel_size=self.conv.kernel_size[0], stride=self.conv.stride[0])
        y: Tensor = self.norm(F.relu(self.conv(padded)))
        return y


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity or, in the later stages, beside a third convolution in every block."""

    def __init__(self, in_channels: int, out_channels: int, *, project_shortcut: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvReLUBatchNorm(in_channels, out_channels), ConvReLUBatchNorm(out_channels, out_channels))
        self.skip = ConvReLUBatchNorm(in_channels, out_channels) if project_shortcut else nn.Identity()

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Add and rectify."""
        return F.relu(self.skip(x) + self.body(x))


class SplitBackbone(nn.Module):
    """The layers before and after the place where attention stands; between them a grid is halved by a maximum.

    Attributes
    ----------
    stem, body
        Both halves.
    channels
        Channels that the first half gives.
    num_features
        Channels that the second half gives.
    """

    def __init__(self, stem: nn.Module, body: nn.Module, *, channels: int, num_features: int) -> None:
        super().__init__()
        self.stem, self.body = stem, body
        self.channels, self.num_features = channels, num_features


def _residual_stage(in_channels: int, out_channels: int, num_blocks: int, *, project_shortcut: bool = True) -> nn.Sequential:
    widths = [in_channels] + [out_channels] * (num_blocks - 1)
    return nn.Sequential(*(ResidualBlock(each, out_channels, project_shortcut=project_shortcut) for each in widths))


def resnet34(concat_factor: int) -> SplitBackbone:
    """Give 3, 4, 6 and 3 blocks of 64 to 512 channels; attention after the second stage (28×28×128 at 224 pixels)."""
    early = nn.Sequential(
        ConvReLUBatchNorm(3, 64, stride=2), SamePadMaxPool2d(3), _residual_stage(64, 64, 3, project_shortcut=False), SamePadMaxPool2d(), _residual_stage(64, 128, 4)
    )  # fmt: skip
    late = nn.Sequential(_residual_stage(concat_factor * 128, 256, 6), SamePadMaxPool2d(), _residual_stage(256, 512, 3))
    return _init_weights(SplitBackbone(early, late, channels=128, num_features=512), nn.init.xavier_uniform_)


def _conv_layers(in_channels: int, out_channels: int, num_layers: int) -> list[nn.Module]:
    widths = [in_channels] + [out_channels] * (num_layers - 1)
    return [ConvReLUBatchNorm(each, out_channels, kernel_size=3 if n < num_layers else 1) for n, each in enumerate(widths, 1)]


def vgg16(concat_factor: int) -> SplitBackbone:
    """Give 2, 2, 3, 3 and 3 convolutions, the last of each 1×1; attention after the fourth block (28×28×512)."""
    early = nn.Sequential(
        *_conv_layers(3, 64, 2), SamePadMaxPool2d(), *_conv_layers(64, 128, 2), SamePadMaxPool2d(),
        *_conv_layers(128, 256, 3), SamePadMaxPool2d(), *_conv_layers(256, 512, 3),
    )  # fmt: skip
    late = nn.Sequential(*_conv_layers(concat_factor * 512, 512, 3))
    return _init_weights(SplitBackbone(early, late, channels=512, num_features=512), nn.init.kaiming_normal_)


def _init_weights(backbone: SplitBackbone, init: Callable[[Tensor], Tensor]) -> SplitBackbone:
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            init(module.weight)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return backbone
