"""Tolerances between two correct results, from dtype and number of added terms, for any processor."""

import torch
from torch import Tensor, nn


def bound(dtype: torch.dtype, terms: int) -> float:
    """Return the relative error of a sum of this many terms: 4 eps √terms.

    Processors add in different orders, and round after each product or, with fused multiplication, after each sum.
    A rounding error is at most half an eps, and positive as often as negative: the sum of such errors grows with the
    square root of their number. The factor is 4 because two results are compared, and products are rounded too.
    """
    return 4.0 * torch.finfo(dtype).eps * max(1, terms) ** 0.5


def terms_of(model: nn.Module) -> int:
    """Count the terms added in a network: the inputs of one output of each layer."""
    return sum(parameter[0].numel() for parameter in model.parameters() if parameter.ndim > 1)


def close(expected: Tensor, terms: int, computed_in: torch.dtype | None = None) -> dict[str, float]:
    """Return ``rtol`` and ``atol`` of ``assert_close``, relative to the largest expected value.

    If terms cancel, a sum close to zero has the absolute error of a large one. Pass
    ``computed_in`` if ``expected`` has a wider dtype than the result to compare.
    """
    tolerance = bound(computed_in or expected.dtype, terms)
    return {"rtol": tolerance, "atol": tolerance * float(expected.detach().abs().max())}
