"""A norm that is applied by whoever reads its input, against the layer itself."""

import weakref

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from lesionlens.models.attention.arl import MASK_NORMALIZATIONS, attention_residual
from lesionlens.models.attention.arl_fused import fused_arl
from lesionlens.models.attention.deferred_norm import apply_now, deferred_batch_norm

EVERY = pytest.mark.parametrize("normalization", sorted(MASK_NORMALIZATIONS))


def drawn(*shape: int, seed: int = 0, kind: torch.dtype = torch.float64, far: float = 0.0) -> Tensor:
    """Draw a grid in channels-last memory, its mean so far from zero."""
    grid = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + far
    return grid.to(kind).to(memory_format=torch.channels_last).requires_grad_()


def layer(channels: int, kind: torch.dtype = torch.float64) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, dtype=kind)
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(-1.5, 2, channels))
        norm.bias.copy_(torch.linspace(1, -1, channels))
    return norm


@EVERY
@pytest.mark.parametrize("rectified", [False, True])
def test_gradients_and_theirs_are_those_of_finite_differences(normalization: str, rectified: bool) -> None:
    """Of both branches' norms, weights and grids."""
    given, norms = [drawn(2, 3, 3, 2, seed=seed) for seed in (0, 1)], [layer(3), layer(3)]
    alpha = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

    def run(*_: Tensor) -> Tensor:
        branches = [deferred_batch_norm(*pair) for pair in zip(norms, given, strict=True)]
        assert all(each.norm is not None for each in branches)
        return fused_arl(*branches, alpha, normalization=normalization, relu=rectified)

    learned = [alpha, *given, *(each for norm in norms for each in norm.parameters())]
    assert torch.autograd.gradcheck(run, learned)
    assert torch.autograd.gradgradcheck(run, learned)


@EVERY
@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_the_layers_and_the_formula(normalization: str, rectified: bool, kind: torch.dtype) -> None:
    """The witness applies torch's layers and torch's gradients, in float64 on the same rounded inputs."""

    def run(wide: bool) -> list[Tensor]:
        wanted, *given = (drawn(2, 8, 4, 5, seed=seed, kind=kind, far=seed) for seed in (0, 3, 2))
        given = [each.detach().to(torch.float64 if wide else kind).requires_grad_() for each in given]
        precise = torch.float64 if wide or kind == torch.float64 else torch.float32
        norms = [layer(8, precise), layer(8, precise)]
        alpha = torch.tensor(0.3, dtype=precise, requires_grad=True)
        branches = [
            (apply_now if wide else deferred_batch_norm)(*pair) for pair in zip(norms, given, strict=True)
        ]
        if wide:
            y = attention_residual(
                *(each.pre_norm for each in branches), alpha, normalization=normalization
            ).features
            y = y.relu() if rectified else y
        else:
            y = fused_arl(*branches, alpha, normalization=normalization, relu=rectified)
        learned = [*given, alpha, *(each for norm in norms for each in norm.parameters())]
        found = torch.autograd.grad(y, learned, wanted.to(y.dtype))
        return [y.detach(), *found, *(each for norm in norms for each in norm.buffers())]

    bounds = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2**-7}
    for ours, theirs in zip(run(wide=False), run(wide=True), strict=True):
        torch.testing.assert_close(
            ours.to(theirs.dtype), theirs, rtol=bounds[kind], atol=bounds[kind] * float(theirs.abs().max())
        )


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_running_statistics_move_as_the_layer_moves_them(device: str) -> None:
    """To the last bit on a processor, and where a mean is far from zero."""
    ours, theirs = (layer(5, torch.float32).to(device) for _ in range(2))
    for step in range(3):
        given = drawn(4, 5, 6, 7, seed=step, kind=torch.float32, far=1e3).detach().to(device)
        assert deferred_batch_norm(ours, given).norm is not None
        theirs(given)
    bound = 0.0 if device == "cpu" else 1e-5
    for name, buffer in theirs.named_buffers():
        torch.testing.assert_close(dict(ours.named_buffers())[name], buffer, rtol=bound, atol=bound, msg=name)


def _others() -> dict[str, tuple[nn.Module, Tensor]]:
    looked_at = layer(4)
    looked_at.register_forward_hook(lambda *_: None)
    grid = drawn(2, 4, 3, 3)
    return {
        "is in use, not in training": (layer(4).eval(), grid),
        "has no weights": (nn.BatchNorm2d(4, affine=False, dtype=torch.float64), grid),
        "keeps no statistics": (nn.BatchNorm2d(4, track_running_stats=False, dtype=torch.float64), grid),
        "takes the mean of all batches": (nn.BatchNorm2d(4, momentum=None, dtype=torch.float64), grid),
        "is looked at": (looked_at, grid),
        "lies where torch has no such statistics": (layer(4).to("meta"), grid.detach().to("meta")),
        "is of half precision": (layer(4, torch.bfloat16), grid.detach().bfloat16()),
        "is no batch norm": (nn.GroupNorm(2, 4, dtype=torch.float64), grid),
        "lies otherwise": (layer(4), grid.detach().contiguous()),
    }


@pytest.mark.parametrize("why", sorted(_others()))
def test_a_layer_is_called_that(why: str) -> None:
    norm, given = _others()[why]
    branch = deferred_batch_norm(norm, given)
    assert branch.norm is None
    torch.testing.assert_close(branch.pre_norm, norm(given), rtol=1e-12, atol=1e-12, check_device=False)


def test_without_gradients_the_layer_is_called() -> None:
    with torch.no_grad():
        assert deferred_batch_norm(layer(4), drawn(2, 4, 3, 3)).norm is None


def test_other_channels_than_its_own_are_refused_as_ever() -> None:
    with pytest.raises(RuntimeError, match="should contain 4 elements not 5"):
        deferred_batch_norm(layer(5), drawn(2, 4, 3, 3))


def test_one_value_has_no_variance() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        deferred_batch_norm(layer(4), drawn(1, 4, 1, 1))


def test_keeps_what_the_norms_were_given_and_sums_alone() -> None:
    branches = [deferred_batch_norm(layer(8), drawn(2, 8, 6, 6, seed=seed)) for seed in (0, 1)]
    found: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        found[tensor.data_ptr()] = tensor.numel()
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        fused_arl(*branches, torch.tensor(0.3, dtype=torch.float64), relu=True)
    of_each_norm = 4 * 8  # weight, bias, mean and scale
    assert sum(found.values()) == 2 * (2 * 8 * 6 * 6) + 2 * of_each_norm + 2 * 8 + 1


def test_weights_that_changed_before_the_backward_pass_are_told_not_used() -> None:
    norm = layer(8)
    x = drawn(2, 8, 6, 6)
    y = fused_arl(x, deferred_batch_norm(norm, x * 2), torch.tensor(0.3, dtype=torch.float64))
    with torch.no_grad():
        norm.weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_without_a_backward_pass_nothing_stays_alive() -> None:
    given = drawn(2, 8, 6, 6) * 1
    y = fused_arl(
        given, deferred_batch_norm(layer(8), given), torch.tensor(0.3, dtype=torch.float64), relu=True
    )
    watched = weakref.ref(given)
    del given, y
    assert watched() is None


def test_works_on_shapes_alone() -> None:
    with FakeTensorMode():
        given = torch.rand(2, 8, 6, 6).to(memory_format=torch.channels_last).requires_grad_()
        fused_arl(given, deferred_batch_norm(nn.BatchNorm2d(8), given), torch.tensor(0.3)).sum().backward()
    assert given.grad is not None
    assert given.grad.shape == given.shape
