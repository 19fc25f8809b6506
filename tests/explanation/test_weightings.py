import torch
from torch import Tensor

from lesionlens.explanation.cam import CAM_WEIGHTINGS

GRID = torch.tensor([[[[1.0, 0.0], [3.0, 2.0]], [[0.5, 4.0], [0.0, 1.0]]]], dtype=torch.float64)
SLOPES = torch.tensor([[[[0.3, -0.2], [0.1, 0.0]], [[-0.4, 0.2], [0.6, -0.1]]]], dtype=torch.float64)


def derivatives(score: Tensor, grid: Tensor) -> list[Tensor]:
    """First, second and third derivative of a score by each value of the grid alone."""
    found = []
    (first,) = torch.autograd.grad(score, grid, create_graph=True)
    for place in range(grid.numel()):
        each = [first.flatten()[place]]
        for _ in range(2):
            (following,) = torch.autograd.grad(each[-1], grid, create_graph=True)
            each.append(following.flatten()[place])
        found.append(torch.stack(each))
    return [values.reshape(grid.shape).detach() for values in torch.stack(found, dim=1)]


def test_grad_cam_plus_plus_is_its_equations_with_all_derivatives_of_an_exponential_score() -> None:
    grid = GRID.clone().requires_grad_()
    score = (SLOPES * grid).sum().exp()
    first, second, third = derivatives(score, grid)
    whole = GRID.sum(dim=(2, 3), keepdim=True)
    below = 2 * second + whole * third
    alpha = torch.where(below == 0, 0.0, second / below)  # Chattopadhay et al. 2018, eq. 10
    wanted = (alpha * first.relu()).sum(dim=(2, 3), keepdim=True)  # eq. 5
    found = CAM_WEIGHTINGS["gradcam++"](SLOPES, GRID)
    torch.testing.assert_close(found * score.detach(), wanted)


def test_layer_cam_counts_each_place_by_its_positive_gradient() -> None:
    wanted = [[[0.3, 0.0], [0.1, 0.0]], [[0.0, 0.2], [0.6, 0.0]]]
    assert CAM_WEIGHTINGS["layercam"](SLOPES, GRID)[0].tolist() == wanted


def test_grad_cam_counts_channels_by_their_mean_gradient() -> None:
    found = CAM_WEIGHTINGS["gradcam"](SLOPES, GRID).flatten()
    torch.testing.assert_close(found, torch.tensor([0.05, 0.075], dtype=torch.float64))


def test_grad_cam_plus_plus_is_finite_where_channels_sum_below_zero() -> None:
    # at g = 0.2 and a sum of -10 the equation would divide by zero
    found = CAM_WEIGHTINGS["gradcam++"](torch.full((1, 1, 1, 2), 0.2), torch.full((1, 1, 1, 2), -5.0))
    torch.testing.assert_close(found.flatten(), torch.tensor([0.2]))
