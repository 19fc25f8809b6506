"""The soft-attention unit as a 2-D convolution against the equal 3-D one: alternately, in one run, as ratios.

python benchmarks/soft_attention.py [soft_attention.json]
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from lesionlens.attention.soft import SoftAttention

ROUNDS = 7
GRIDS = {"ResNet50, 7 × 7 × 2048": (16, 2048, 7, 7), "block C, 8 × 8 × 2080": (16, 2080, 8, 8)}


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


def step(unit: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Time one forward and backward pass, in seconds."""
    x = x.detach().requires_grad_()
    started = time.perf_counter()
    unit(x).sum().backward()
    return time.perf_counter() - started


def compare(shape: tuple[int, int, int, int]) -> dict[str, float]:
    torch.manual_seed(0)
    x = torch.randn(shape)
    ours = SoftAttention(shape[1])
    plain = Plain(ours)
    apart = float((plain(x) - ours(x).grid).abs().max())
    pairs = [(step(plain, x), step(lambda x: ours(x).grid, x)) for _ in range(ROUNDS + 1)][1:]
    ratios = sorted(slow / fast for slow, fast in pairs)
    return {
        "plain_ms": 1000 * statistics.median(slow for slow, _ in pairs),
        "ours_ms": 1000 * statistics.median(fast for _, fast in pairs),
        "ratio": statistics.median(ratios),
        "least": ratios[0],
        "most": ratios[-1],
        "apart": apart,
    }


def main() -> None:
    found = {name: compare(shape) for name, shape in GRIDS.items()}
    print(f"{'training, 16 images':26}{'Conv3d':>10}{'Conv2d':>10}{'ratio':>8}   apart")
    for name, row in found.items():
        print(
            f"{name:26}{row['plain_ms']:7.1f} ms{row['ours_ms']:7.1f} ms{row['ratio']:8.1f}   {row['apart']:.0e}"
            f"   ({row['least']:.1f} to {row['most']:.1f})"
        )
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
