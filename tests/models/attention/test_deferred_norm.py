"""Deferred batch norm against the layer itself."""

import weakref

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from lesionlens.models.attention.arl import MASK_NORMALIZATIONS, attention_residual
from lesionlens.models.attention.arl_fused import fused_arl
from lesionlens.models.attention.deferred_norm import apply_now, deferred_batch_norm

EVERY = pytest.mark.parametrize("normalization", sorted(MASK_NORMALIZATIONS))


def sample_input(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64, far: float = 0.0) -> Tensor:
    """Sample a feature map in channels-last memory with mean ``far``."""
    grid = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + far
    return grid.to(dtype).to(memory_format=torch.channels_last).requires_grad_()


def layer(channels: int, dtype: torch.dtype = torch.float64) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, dtype=dtype)
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(-1.5, 2, channels))
        norm.bias.copy_(torch.linspace(1, -1, channels))
    return norm


@EVERY
@pytest.mark.parametrize("relu", [pytest.param(False, marks=pytest.mark.slow), True])
def test_gradients_equal_finite_differences(normalization: str, relu: bool) -> None:
    """For the inputs of both branches and the weights of their norms."""
    inputs, norms = [sample_input(2, 2, 2, 2, seed=seed) for seed in (0, 1)], [layer(2), layer(2)]
    alpha = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

    def run(*_: Tensor) -> Tensor:
        branches = [deferred_batch_norm(*pair) for pair in zip(norms, inputs, strict=True)]
        assert all(branch.norm is not None for branch in branches)
        return fused_arl(*branches, alpha, normalization=normalization, relu=relu)

    learned = [alpha, *inputs, *(weight for norm in norms for weight in norm.parameters())]
    assert torch.autograd.gradcheck(run, learned)
    assert torch.autograd.gradgradcheck(run, learned)


@EVERY
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equals_layers_and_equation_9(normalization: str, relu: bool, dtype: torch.dtype) -> None:
    """The reference uses torch's layers and autograd in float64 on the same rounded inputs."""

    def run(exact: bool) -> list[Tensor]:
        grad_out, *inputs = (sample_input(2, 8, 4, 5, seed=seed, dtype=dtype, far=seed) for seed in (0, 3, 2))
        inputs = [tensor.detach().to(torch.float64 if exact else dtype).requires_grad_() for tensor in inputs]
        precise = torch.float64 if exact or dtype == torch.float64 else torch.float32
        norms = [layer(8, precise), layer(8, precise)]
        alpha = torch.tensor(0.3, dtype=precise, requires_grad=True)
        branches = [
            (apply_now if exact else deferred_batch_norm)(*pair) for pair in zip(norms, inputs, strict=True)
        ]
        if exact:
            y = attention_residual(
                *(branch.pre_norm for branch in branches), alpha, normalization=normalization
            ).features
            y = y.relu() if relu else y
        else:
            y = fused_arl(*branches, alpha, normalization=normalization, relu=relu)
        learned = [*inputs, alpha, *(weight for norm in norms for weight in norm.parameters())]
        grads = torch.autograd.grad(y, learned, grad_out.to(y.dtype))
        return [y.detach(), *grads, *(buffer for norm in norms for buffer in norm.buffers())]

    bounds = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2**-7}
    for ours, theirs in zip(run(exact=False), run(exact=True), strict=True):
        torch.testing.assert_close(
            ours.to(theirs.dtype), theirs, rtol=bounds[dtype], atol=bounds[dtype] * float(theirs.abs().max())
        )


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_running_statistics_equal_those_of_the_layer(device: str) -> None:
    """Bit for bit on a CPU, also if the mean is far from zero."""
    ours, theirs = (layer(5, torch.float32).to(device) for _ in range(2))
    for step in range(3):
        inputs = sample_input(4, 5, 6, 7, seed=step, dtype=torch.float32, far=1e3).detach().to(device)
        assert deferred_batch_norm(ours, inputs).norm is not None
        theirs(inputs)
    bound = 0.0 if device == "cpu" else 1e-5
    for name, buffer in theirs.named_buffers():
        torch.testing.assert_close(dict(ours.named_buffers())[name], buffer, rtol=bound, atol=bound, msg=name)


def _not_deferrable() -> dict[str, tuple[nn.Module, Tensor]]:
    hooked = layer(4)
    hooked.register_forward_hook(lambda *_: None)
    grid = sample_input(2, 4, 3, 3)
    return {
        "evaluation mode": (layer(4).eval(), grid),
        "no weights": (nn.BatchNorm2d(4, affine=False, dtype=torch.float64), grid),
        "no running statistics": (nn.BatchNorm2d(4, track_running_stats=False, dtype=torch.float64), grid),
        "cumulative average": (nn.BatchNorm2d(4, momentum=None, dtype=torch.float64), grid),
        "hook": (hooked, grid),
        "unsupported device": (layer(4).to("meta"), grid.detach().to("meta")),
        "half precision": (layer(4, torch.bfloat16), grid.detach().bfloat16()),
        "group norm": (nn.GroupNorm(2, 4, dtype=torch.float64), grid),
        "channels-first memory": (layer(4), grid.detach().contiguous()),
    }


@pytest.mark.parametrize("case", sorted(_not_deferrable()))
def test_layer_is_applied_if_it_cannot_be_deferred(case: str) -> None:
    norm, inputs = _not_deferrable()[case]
    branch = deferred_batch_norm(norm, inputs)
    assert branch.norm is None
    torch.testing.assert_close(branch.pre_norm, norm(inputs), rtol=1e-12, atol=1e-12, check_device=False)


def test_layer_is_applied_without_gradients() -> None:
    with torch.no_grad():
        assert deferred_batch_norm(layer(4), sample_input(2, 4, 3, 3)).norm is None


def test_wrong_number_of_channels_raises_as_the_layer() -> None:
    with pytest.raises(RuntimeError, match="should contain 4 elements not 5"):
        deferred_batch_norm(layer(5), sample_input(2, 4, 3, 3))


def test_one_value_has_no_variance() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        deferred_batch_norm(layer(4), sample_input(1, 4, 1, 1))


def test_saves_only_inputs_of_norms_and_log_sums() -> None:
    branches = [deferred_batch_norm(layer(8), sample_input(2, 8, 6, 6, seed=seed)) for seed in (0, 1)]
    sizes: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        sizes[tensor.data_ptr()] = tensor.numel()
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        fused_arl(*branches, torch.tensor(0.3, dtype=torch.float64), relu=True)
    per_norm = 4 * 8  # weight, bias, mean and scale
    assert sum(sizes.values()) == 2 * (2 * 8 * 6 * 6) + 2 * per_norm + 2 * 8 + 1


def test_weights_changed_before_backward_raise() -> None:
    norm = layer(8)
    x = sample_input(2, 8, 6, 6)
    y = fused_arl(x, deferred_batch_norm(norm, x * 2), torch.tensor(0.3, dtype=torch.float64))
    with torch.no_grad():
        norm.weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_without_backward_no_tensor_stays_alive() -> None:
    inputs = sample_input(2, 8, 6, 6) * 1
    y = fused_arl(
        inputs, deferred_batch_norm(layer(8), inputs), torch.tensor(0.3, dtype=torch.float64), relu=True
    )
    watched = weakref.ref(inputs)
    del inputs, y
    assert watched() is None


def test_works_on_fake_tensors() -> None:
    with FakeTensorMode():
        inputs = torch.rand(2, 8, 6, 6).to(memory_format=torch.channels_last).requires_grad_()
        fused_arl(inputs, deferred_batch_norm(nn.BatchNorm2d(8), inputs), torch.tensor(0.3)).sum().backward()
    assert inputs.grad is not None
    assert inputs.grad.shape == inputs.shape
