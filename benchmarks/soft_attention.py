"""The soft-attention unit as a 2-D convolution against the equal 3-D one, forward and backward.

python benchmarks/soft_attention.py [--rounds N] [--json FILE]
"""

from collections.abc import Callable

import torch
from harness import Row, alternately, finish
from torch import Tensor, nn

from lesionlens.attention.soft import SoftAttention

BATCH = 16
GRIDS = {"ResNet-50's 7 × 7 × 2048": (2048, 7, 7), "Inception's 8 × 8 × 2080": (2080, 8, 8)}


class Plain(nn.Module):
    """Equation 1 written as the paper says it: a 3-D convolution over height, width and all channels."""

    def __init__(self, unit: SoftAttention) -> None:
        super().__init__()
        width, heads = unit.conv.in_channels, unit.conv.out_channels
        self.conv = nn.Conv3d(1, heads, (width, 3, 3), padding=(0, 1, 1))
        self.gamma = nn.Parameter(unit.gamma.detach().clone())
        with torch.no_grad():
            self.conv.weight.copy_(unit.conv.weight[:, None])
            self.conv.bias.copy_(unit.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.conv(x[:, None])[:, :, 0]
        maps = scores.flatten(2).softmax(dim=2).reshape(scores.shape).sum(dim=1, keepdim=True)
        return self.gamma * x * maps


def step(unit: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], object]:
    return lambda: unit(x.detach().requires_grad_()).sum().backward()


def compare(name: str, shape: tuple[int, int, int]) -> Row:
    torch.manual_seed(0)
    x = torch.randn(BATCH, *shape)
    ours = SoftAttention(shape[0])
    plain = Plain(ours)
    apart = float((plain(x) - ours(x).grid).detach().abs().max())
    near = x.to(memory_format=torch.channels_last)
    ours = ours.to(memory_format=torch.channels_last)
    ways = {"naive": step(plain, x), "ours": step(lambda x: ours(x).grid, near)}
    return alternately(name, ways, items=BATCH, demand=6.0, note=f"{apart:.0e} apart")


def main() -> None:
    finish("The soft-attention unit in training", [compare(name, shape) for name, shape in GRIDS.items()])


if __name__ == "__main__":
    main()
