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
    x: Float[Tensor, "b c h w"], *, kernel: int, stride: int, value: float = 0.0
) -> Float[Tensor, "b c i j"]:
    """Pad so that a window with a stride gives ⌈size / stride⌉ places; of an odd number, more at the end."""
    height, width = (max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[2:])
    ends = (width // 2, width - width // 2, height // 2, height - height // 2)
    return F.pad(x, ends, value=value)


class SamePool(nn.Module):
    """Maximum over windows, padded as by ``pad_same``."""

    def __init__(self, kernel: int = 2, stride: int = 2) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c i j"]:
        """Pool."""
        padded = pad_same(x, kernel=self.kernel, stride=self.stride, value=float("-inf"))
        return F.max_pool2d(padded, self.kernel, self.stride)


class ConvReluNorm(nn.Module):
    """Convolution with bias, ReLU, batch norm, in this order."""

    def __init__(self, width_in: int, width: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width_in, width, kernel, stride)
        self.norm = nn.BatchNorm2d(width, eps=1e-3, momentum=0.01)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """Apply the three."""
        padded = pad_same(x, kernel=self.conv.kernel_size[0], stride=self.conv.stride[0])
        y: Tensor = self.norm(F.relu(self.conv(padded)))
        return y


class Residual(nn.Module):
    """Two convolutions beside the identity or, in the later stages, beside a third convolution in every block."""

    def __init__(self, width_in: int, width: int, *, projected: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvReluNorm(width_in, width), ConvReluNorm(width, width))
        self.skip = ConvReluNorm(width_in, width) if projected else nn.Identity()

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Add and rectify."""
        return F.relu(self.skip(x) + self.body(x))


class Trunk(nn.Module):
    """The layers before and after the place where attention stands; between them a grid is halved by a maximum.

    Attributes
    ----------
    early, late
        Both halves.
    width
        Channels that the first half gives.
    num_features
        Channels that the second half gives.
    """

    def __init__(self, early: nn.Module, late: nn.Module, *, width: int, num_features: int) -> None:
        super().__init__()
        self.early, self.late = early, late
        self.width, self.num_features = width, num_features


def _stage(width_in: int, width: int, blocks: int, *, projected: bool = True) -> nn.Sequential:
    widths = [width_in] + [width] * (blocks - 1)
    return nn.Sequential(*(Residual(each, width, projected=projected) for each in widths))


def resnet34(times: int) -> Trunk:
    """Give 3, 4, 6 and 3 blocks of 64 to 512 channels; attention after the second stage (28×28×128 at 224 pixels)."""
    early = nn.Sequential(
        ConvReluNorm(3, 64, stride=2), SamePool(3), _stage(64, 64, 3, projected=False), SamePool(), _stage(64, 128, 4)
    )  # fmt: skip
    late = nn.Sequential(_stage(times * 128, 256, 6), SamePool(), _stage(256, 512, 3))
    return _started(Trunk(early, late, width=128, num_features=512), nn.init.xavier_uniform_)


def _convolutions(width_in: int, width: int, count: int) -> list[nn.Module]:
    widths = [width_in] + [width] * (count - 1)
    return [ConvReluNorm(each, width, kernel=3 if n < count else 1) for n, each in enumerate(widths, 1)]


def vgg16(times: int) -> Trunk:
    """Give 2, 2, 3, 3 and 3 convolutions, the last of each 1×1; attention after the fourth block (28×28×512)."""
    early = nn.Sequential(
        *_convolutions(3, 64, 2), SamePool(), *_convolutions(64, 128, 2), SamePool(),
        *_convolutions(128, 256, 3), SamePool(), *_convolutions(256, 512, 3),
    )  # fmt: skip
    late = nn.Sequential(*_convolutions(times * 512, 512, 3))
    return _started(Trunk(early, late, width=512, num_features=512), nn.init.kaiming_normal_)


def _started(trunk: Trunk, start: Callable[[Tensor], Tensor]) -> Trunk:
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            start(module.weight)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return trunk
