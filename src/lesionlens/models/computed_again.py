"""What a batch norm gave, computed again in the backward pass instead of being kept until then.

A norm keeps what it was given. Whoever needs what it gave in the backward pass would keep a second grid of the same
size, though that follows from the first in one pass over memory, to the last bit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks


class Recipe(NamedTuple):
    """How a norm made a grid.

    Attributes
    ----------
    given
        What it was given, (b, c, h, w).
    norm
        The layer, whose weights must not change before the backward pass.
    by_batch
        Whether it used the statistics of its batch.
    """

    given: Tensor
    norm: nn.BatchNorm2d
    by_batch: bool

    def grid(self) -> Tensor:
        """Compute the grid, (b, c, h, w), as the norm did; running statistics stay as they are."""
        norm = self.norm
        mean, variance = (None, None) if self.by_batch else (norm.running_mean, norm.running_var)
        with torch.no_grad():
            return F.batch_norm(
                self.given, mean, variance, norm.weight, norm.bias, self.by_batch, 0.0, norm.eps
            )


class Kept(NamedTuple):
    """What is kept as it is, and how often it had been changed by then: autograd does not look behind hooks."""

    given: Tensor
    version: int

    def grid(self) -> Tensor:
        """Give it.

        Raises
        ------
        RuntimeError
            It was changed since.
        """
        if self.given._version != self.version:
            raise RuntimeError(
                f"a tensor of shape {tuple(self.given.shape)} that an attention block needs for its backward pass was "
                "changed in place; change a copy"
            )
        return self.given


class Normed(NamedTuple):
    """A grid (b, c, h, w), and how it was made; None where it must be kept."""

    grid: Tensor
    recipe: Recipe | None = None


def normed(norm: nn.Module, given: Tensor) -> Normed:
    """Apply the last layer of a branch."""
    grid: Tensor = norm(given)
    if type(norm) is not nn.BatchNorm2d or not grid.requires_grad or torch.compiler.is_compiling():
        return Normed(grid)
    by_batch = norm.training or norm.running_mean is None
    return Normed(grid, Recipe(given.detach(), norm, by_batch))


@contextmanager
def computed_again(made: Normed) -> Iterator[None]:
    """Let what is computed inside keep the recipe in place of the grid; its backward pass gets the grid."""
    if made.recipe is None:
        yield
        return
    recipe, grid = (
        made.recipe,
        id(made.grid),
    )  # not itself, which hooks would keep; nor its memory: it may have none

    def pack(tensor: Tensor) -> Recipe | Kept:
        # detached: an operation that kept its own output as it is would never be freed
        return recipe if id(tensor) == grid else Kept(tensor.detach(), tensor._version)

    with saved_tensors_hooks(pack, lambda kept: kept.grid()):
        yield
