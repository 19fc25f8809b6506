"""How far apart two right results may lie: a matter of their type and of the terms added, not of a processor."""

import torch
from torch import Tensor, nn


def bound(dtype: torch.dtype, terms: int) -> float:
    """Give the relative error of a sum of so many terms: 4 eps √terms.

    Processors add in the order of their vectors, blocks and threads, and round after each product or, with fused
    multiplication, after each sum. A rounding is off by half an eps at most, up as often as down: such errors grow
    with the root of their number. Four: two results are compared, and products round as sums do.
    """
    return 4.0 * torch.finfo(dtype).eps * max(1, terms) ** 0.5


def terms_of(model: nn.Module) -> int:
    """Count what is added on the way through a whole network: the inputs of one output, of layer after layer."""
    return sum(parameter[0].numel() for parameter in model.parameters() if parameter.ndim > 1)


def close(expected: Tensor, terms: int, computed_in: torch.dtype | None = None) -> dict[str, float]:
    """Give ``rtol`` and ``atol`` to ``assert_close``, relative to the largest value that is expected.

    Where terms cancel, a sum close to zero is off by as much as the large one beside it. ``computed_in`` where the
    expected is of a wider type than what is judged.
    """
    near = bound(computed_in or expected.dtype, terms)
    return {"rtol": near, "atol": near * float(expected.detach().abs().max())}
