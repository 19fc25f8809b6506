"""A grid laid out as one vector, of the fixed size and of others."""

import torch

from lesionlens.models.soft_attention import AdaptiveFlatten


def test_a_grid_of_the_fixed_size_is_laid_out_as_it_is() -> None:
    grid = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(AdaptiveFlatten(4)(grid), grid.reshape(2, 48))


def test_another_size_is_brought_to_the_fixed_grid_by_averages() -> None:
    grid = torch.arange(32.0).reshape(1, 1, 4, 8)
    expected = torch.stack(
        [grid[0, 0, 2 * r : 2 * r + 2, 4 * s : 4 * s + 4].mean() for r in (0, 1) for s in (0, 1)]
    )
    torch.testing.assert_close(AdaptiveFlatten(2)(grid)[0], expected)
    torch.testing.assert_close(AdaptiveFlatten(4)(torch.full((1, 2, 1, 1), 3.0)), torch.full((1, 32), 3.0))
