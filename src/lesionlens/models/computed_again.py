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
def computed_again(*grids: Normed) -> Iterator[None]:
    """Let what is computed inside keep recipes in place of these grids; its backward pass gets the grids."""
    # by id: hooks would keep the grids themselves alive, and where shapes alone are computed they have no memory
    recipes = {id(each.grid): each.recipe for each in grids if each.recipe is not None}
    if not recipes:
        yield
        return
    with saved_tensors_hooks(
        lambda tensor: recipes.get(id(tensor), tensor),
        lambda kept: kept.grid() if isinstance(kept, Recipe) else kept,
    ):
        yield
