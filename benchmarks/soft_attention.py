"""Soft attention as a 2-D convolution against the equal 3-D convolution, forward and backward, in separate processes.

Roofline: only its convolution.

python benchmarks/soft_attention.py [--rounds N] [--json FILE]
"""

from collections.abc import Callable
from functools import partial

import torch
from harness import ResultRow, measure_variants, report_results
from isolated_process import isolated_processes, make_variant
from roofline import forward_and_backward
from torch import Tensor, nn

from lesionlens.core.runtime import retain_freed_memory
from lesionlens.models.attention.soft import SoftAttention

BATCH_SIZE, REPEATS = 16, 5
Shape = tuple[int, int, int]
FEATURE_MAPS = {"ResNet-50's 7 × 7 × 2048": (2048, 7, 7), "Inception's 8 × 8 × 2080": (2080, 8, 8)}


class ReferenceSoftAttention(nn.Module):
    """Equation 1 as in the paper: a 3-D convolution over height, width and all channels."""

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


def make_inputs(shape: Shape) -> tuple[SoftAttention, Tensor]:
    """Return the same module and feature maps in each process."""
    torch.manual_seed(0)
    return SoftAttention(shape[0]), torch.randn(BATCH_SIZE, *shape)


def prepare_step(unit: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], object]:
    """Prepare a forward and backward pass; the output gradient has the memory format of x."""
    gradient = torch.ones_like(x)
    return lambda: unit(x.detach().requires_grad_()).backward(gradient)


def prepare_baseline(shape: Shape) -> Callable[[], object]:
    unit, x = make_inputs(shape)
    return prepare_step(ReferenceSoftAttention(unit), x)


def prepare_ours(shape: Shape) -> Callable[[], object]:
    retain_freed_memory()
    unit, x = (item.to(memory_format=torch.channels_last) for item in make_inputs(shape))
    return prepare_step(lambda x: unit(x).feature_map, x)


def prepare_roofline(shape: Shape) -> Callable[[], object]:
    """Prepare only the convolution and the gradients of its kernel and input."""
    retain_freed_memory()
    unit, x = (item.to(memory_format=torch.channels_last) for item in make_inputs(shape))
    y = unit.conv(x).detach()
    return partial(forward_and_backward, unit.conv, x, y, first=False)


def measure_unit(name: str, shape: Shape) -> ResultRow:
    unit, x = make_inputs(shape)
    apart = float((ReferenceSoftAttention(unit)(x) - unit(x).feature_map).detach().abs().max())
    makers = {"baseline": prepare_baseline, "ours": prepare_ours, "roofline": prepare_roofline}
    with isolated_processes(
        {variant: make_variant(make, times=REPEATS) for variant, make in makers.items()}, shape
    ) as variants:
        note = f"{apart:.0e} apart"
        return measure_variants(name, variants, items=REPEATS * BATCH_SIZE, target=6.0, note=note)


def main() -> None:
    report_results(
        "The soft-attention unit in training",
        [measure_unit(name, shape) for name, shape in FEATURE_MAPS.items()],
    )


if __name__ == "__main__":
    main()
