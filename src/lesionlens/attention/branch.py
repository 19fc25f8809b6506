"""A branch of a residual block whose last batch norm is applied by whoever reads it, and whose gradients follow."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

AS_IT_LIES = (0, 2, 3, 1)  # axes of (b, c, h, w) in the order in which channels-last memory holds them
IMAGES_AND_PLACES = (0, 1, 2)  # of grids as they lie


class Norm(NamedTuple):
    """A batch norm's weights, and the statistics of the batch.

    Attributes
    ----------
    weight, bias
        Parameters, (c,).
    mean, scale
        Mean, and one through the standard deviation, (c,), float32 or wider.
    eps
        What was added to the variance.
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor
    scale: Tensor
    eps: float

    def slope(self) -> Tensor:
        """Give what a value is multiplied by, (c,), float32 or wider."""
        return self.weight * self.scale


class Branch(NamedTuple):
    """A branch of a block, up to its last norm; without a norm, the whole branch."""

    given: Tensor
    norm: Norm | None = None

    @property
    def eps(self) -> float | None:
        """Give the norm's, if there is one."""
        return None if self.norm is None else self.norm.eps

    def parts(self) -> tuple[Tensor | None, ...]:
        """Give all tensors: what was given, then the norm's."""
        return self.given, *((None,) * 4 if self.norm is None else self.norm[:4])

    @classmethod
    def of(cls, eps: float | None, parts: Sequence[Any]) -> "Branch":
        """Join those parts again."""
        given, weight, bias, mean, scale = parts
        return cls(given, None if eps is None else Norm(weight, bias, mean, scale, eps))

    def grid(self) -> Tensor:
        """Give the branch, (b, c, h, w), by operations that can be differentiated twice."""
        if self.norm is None:
            return self.given
        return F.batch_norm(
            self.given, None, None, self.norm.weight, self.norm.bias, training=True, eps=self.norm.eps
        )

    def applied(self) -> Tensor:
        """Give the branch in float32 or wider, from a grid as it lies, (b, h, w, c)."""
        wide = widened(self.given)
        if self.norm is None:
            return wide
        slope = self.norm.slope()
        return wide * slope + (self.norm.bias - self.norm.mean * slope)

    def back(self, wanted: Tensor) -> tuple[Tensor | None, ...]:
        """Take a gradient, as it lies, back to each of the parts; statistics follow from what was given."""
        if self.norm is None:
            return wanted.to(self.given.dtype), *(None,) * 4
        standard = (widened(self.given) - self.norm.mean) * self.norm.scale
        for_weight = sum_over(wanted * standard, IMAGES_AND_PLACES)
        for_bias = sum_over(wanted, IMAGES_AND_PLACES)
        felt = wanted - (for_bias + standard * for_weight) / _places(wanted)
        found = self.norm.slope() * felt
        return (
            found.to(self.given.dtype),
            for_weight.flatten().to(self.norm.weight.dtype),
            for_bias.flatten().to(self.norm.bias.dtype),
            None,
            None,
        )


def widened(grid: Tensor) -> Tensor:
    """Give a grid in float32, or wider if it is."""
    return grid.to(torch.promote_types(grid.dtype, torch.float32))


def sum_over(grid: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Sum over these axes, which keep a size of 1: one after the other, the last first, as memory lies."""
    for axis in reversed(axes):
        grid = grid.sum(axis, keepdim=True)
    return grid


def _places(grid: Tensor) -> int:
    """Count images times places of a grid as it lies."""
    return grid.shape[0] * grid.shape[1] * grid.shape[2]
