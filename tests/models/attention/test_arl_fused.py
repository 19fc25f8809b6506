"""Fused attention residual learning against equation 9, in every dtype, memory format and form."""

import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import jaxtyping
import pytest
import torch
from torch import Tensor, nn

from lesionlens.models.attention import arl_fused
from lesionlens.models.attention.arl import MASK_NORMALIZATIONS
from lesionlens.models.attention.arl_fused import fused_arl
from lesionlens.models.attention.deferred_norm import deferred_batch_norm

EVERY = pytest.mark.parametrize("normalization", sorted(MASK_NORMALIZATIONS))
LAYOUTS = pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])


def formula(x: Tensor, residual: Tensor, alpha: Tensor, normalization: str) -> Tensor:
    """Equation 9 by torch's own softmax."""
    if normalization == "sigmoid":
        mask = residual.sigmoid()
    elif normalization == "channel":
        mask = residual.softmax(1)
    else:
        mask = residual.flatten(2).softmax(2).reshape(residual.shape)
        mask = mask * mask[0, 0].numel() if normalization == "area" else mask
    return x + residual + alpha * mask * x


def sample_inputs(
    *shape: int, kind: torch.dtype = torch.float64, layout: torch.memory_format
) -> list[Tensor]:
    """Sample x, F(x) and the gradient of their sum."""
    generator = torch.Generator().manual_seed(3)
    grids = (2 * torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(3))
    return [tensor.to(kind).to(memory_format=layout) for tensor in grids]


def with_gradients(
    fn: object,
    x: Tensor,
    residual: Tensor,
    grad_out: Tensor,
    *options: object,
    weights: Sequence[Tensor] = (),
    **named: object,
) -> tuple[Tensor, ...]:
    """Return the sum, and its gradients for x, F(x), alpha and weights."""
    x, residual = x.detach().requires_grad_(), residual.detach().requires_grad_()
    alpha = torch.tensor(0.3, dtype=torch.promote_types(x.dtype, torch.float32), requires_grad=True)
    y = fn(x, residual, alpha, *options, **named)  # type: ignore[operator]
    return (y.detach(), *torch.autograd.grad(y, (x, residual, alpha, *weights), grad_out.to(y.dtype)))


@EVERY
@pytest.mark.parametrize(
    "layout", [pytest.param(torch.contiguous_format, marks=pytest.mark.slow), torch.channels_last]
)
def test_gradients_equal_finite_differences(normalization: str, layout: torch.memory_format) -> None:
    x, residual, _ = sample_inputs(2, 2, 3, 2, layout=layout)
    alpha = torch.tensor(0.3, dtype=torch.float64)
    inputs = [tensor.requires_grad_() for tensor in (x, residual, alpha)]

    def run(*these: Tensor) -> Tensor:
        return fused_arl(*these, normalization=normalization)

    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


@EVERY
@LAYOUTS
@pytest.mark.parametrize("kind", [torch.float64, torch.float32])
def test_equals_equation_9(normalization: str, layout: torch.memory_format, kind: torch.dtype) -> None:
    inputs = sample_inputs(3, 16, 7, 5, kind=kind, layout=layout)
    ours = with_gradients(fused_arl, *inputs, normalization=normalization)
    expected_outputs = with_gradients(formula, *inputs, normalization)
    bound = {"rtol": 1e-12, "atol": 1e-12} if kind == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
    for actual, expected in zip(ours, expected_outputs, strict=True):
        torch.testing.assert_close(actual, expected, **bound)
    assert all(tensor.is_contiguous(memory_format=layout) for tensor in ours[:3])


@EVERY
def test_bf16_is_rounded_once(normalization: str) -> None:
    """Against float64 on the same rounded inputs: the error is half an ulp, 2 ** -9, and a bit."""
    inputs = sample_inputs(3, 16, 14, 14, kind=torch.bfloat16, layout=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        ours = with_gradients(fused_arl, *inputs, normalization=normalization)
    exact = with_gradients(formula, *(tensor.double() for tensor in inputs), normalization)
    assert [tensor.dtype for tensor in ours] == [torch.bfloat16] * 3 + [torch.float32]
    for actual, expected in zip(ours, exact, strict=True):
        torch.testing.assert_close(actual.double(), expected, rtol=2**-8, atol=1e-5)


def saved_values(fn: object, *options: object, **named: object) -> int:
    """Count the values saved for the backward pass, x and F(x) once each."""
    x, residual, _ = sample_inputs(2, 8, 6, 6, kind=torch.float32, layout=torch.channels_last)
    sizes: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        sizes[tensor.data_ptr()] = tensor.numel()
        return tensor.detach()

    alpha = torch.tensor(0.3, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        fn(x.requires_grad_(), residual.requires_grad_(), alpha, *options, **named)  # type: ignore[operator]
    return sum(sizes.values())


@EVERY
def test_saves_only_inputs_and_log_sums(normalization: str) -> None:
    grid = 2 * 8 * 6 * 6
    sums = {"channel": 2 * 6 * 6, "sigmoid": 0}.get(normalization, 2 * 8)
    assert saved_values(fused_arl, normalization=normalization) == 2 * grid + sums + 1
    # in addition to the mask: alpha times the mask, which also the gradient of a sigmoid needs
    assert saved_values(formula, normalization) >= 3 * grid


def test_two_sums_and_two_backward_passes() -> None:
    """One alpha in two sums, and two backward passes through one graph."""
    x, residual, _ = sample_inputs(1, 4, 3, 3, layout=torch.channels_last)
    alpha = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    ours = fused_arl(fused_arl(x, residual, alpha), residual, alpha).sum()
    expected_outputs = formula(formula(x, residual, alpha, "spatial"), residual, alpha, "spatial").sum()
    expected = torch.autograd.grad(expected_outputs, alpha)
    for _ in range(2):
        torch.testing.assert_close(torch.autograd.grad(ours, alpha, retain_graph=True), expected)


def test_second_order_gradients_if_residual_depends_on_x() -> None:
    """As in a block: the gradient of x through F(x) must count once."""
    x, weight, _ = (
        tensor.requires_grad_() for tensor in sample_inputs(2, 2, 3, 2, layout=torch.channels_last)
    )
    alpha = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

    def run(x: Tensor, weight: Tensor, alpha: Tensor) -> Tensor:
        y = fused_arl(x, (weight * x).tanh(), alpha)
        return fused_arl(y, y, alpha)

    inputs = (x, weight, alpha)
    once, twice = (
        torch.autograd.grad(run(*inputs).square().sum(), inputs, create_graph=graph)
        for graph in (False, True)
    )
    for actual, expected in zip(twice, once, strict=True):
        torch.testing.assert_close(actual, expected)
    assert torch.autograd.gradgradcheck(run, inputs)


def and_relu(*inputs: Tensor, **named: object) -> Tensor:
    """Compute the sum, and apply ReLU in place as later layers may."""
    return torch.relu_(fused_arl(*inputs, **named))  # type: ignore[arg-type]


def test_failed_compilation_warns_once_and_runs_eagerly(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_compiler(_: object) -> object:
        def fail(*_: object) -> None:
            raise RuntimeError("no C++ compiler here\nand more")

        return fail

    monkeypatch.setattr(torch, "compile", without_compiler)
    arl_fused._compile.cache_clear()
    inputs = sample_inputs(2, 8, 4, 3, kind=torch.float32, layout=torch.channels_last)
    with pytest.warns(UserWarning, match="runs uncompiled, slower but with equal results: no C"):
        ours = with_gradients(and_relu, *inputs, compiled=True)
    with_gradients(and_relu, *inputs, compiled=True)  # a warning would be an error
    arl_fused._compile.cache_clear()
    expected_outputs = with_gradients(lambda *these: formula(*these, "spatial").relu(), *inputs)
    for actual, expected in zip(ours, expected_outputs, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Reset the compiler and its counters."""
    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler is installed")
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # shape checks cannot be compiled
    torch.compiler.reset()
    arl_fused._compile.cache_clear()
    torch._dynamo.utils.counters.clear()
    yield
    arl_fused._compile.cache_clear()


def num_compiled_graphs() -> int:
    """Return the number of compiled graphs."""
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


CLOSE = {torch.float32: {"rtol": 1e-4, "atol": 1e-4}, torch.bfloat16: {"rtol": 2**-7, "atol": 1e-3}}
SHAPES = ((2, 64, 8, 6), (8, 256, 8, 8), (7, 224, 7, 2), (3, 24, 13, 17), (2, 19, 6, 5))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@EVERY
def test_compiled_once_for_all_sizes_equals_eager(
    normalization: str, kind: torch.dtype, compiler: None
) -> None:
    """Also for equal sizes, which a compiler could treat as the same symbol."""

    def check(*shape: int) -> None:
        inputs = sample_inputs(*shape, kind=kind, layout=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
            compiled = with_gradients(and_relu, *inputs, normalization=normalization, compiled=True)
            eager = with_gradients(and_relu, *inputs, normalization=normalization)
        for actual, expected in zip(compiled, eager, strict=True):
            torch.testing.assert_close(actual, expected, **CLOSE[kind])

    for shape in SHAPES:
        check(*shape)
    assert num_compiled_graphs() == 2  # forward and backward
    for shape in ((4, 128, 1, 1), (7, 224, 7, 1)):
        check(*shape)  # compiled separately: sizes of one


@pytest.mark.slow
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("projected", [False, True])
@EVERY
def test_compiled_once_with_deferred_norms(
    normalization: str, kind: torch.dtype, projected: bool, compiler: None
) -> None:
    def with_norms(
        x: Tensor, residual: Tensor, alpha: Tensor, norms: list[nn.BatchNorm2d], **named: Any
    ) -> Tensor:
        identity = deferred_batch_norm(norms[0], x) if projected else x
        late = deferred_batch_norm(norms[1], residual)
        assert late.norm is not None
        return fused_arl(identity, late, alpha, normalization=normalization, relu=True, **named)

    for shape in SHAPES:
        inputs = sample_inputs(*shape, kind=kind, layout=torch.channels_last)
        norms = [nn.BatchNorm2d(shape[1]) for _ in range(2)]
        weights = [tensor for norm in norms[0 if projected else 1 :] for tensor in norm.parameters()]
        for index, weight in enumerate(weights):
            nn.init.normal_(weight, mean=1, generator=torch.Generator().manual_seed(index))
        compiled = with_gradients(with_norms, *inputs, norms, weights=weights, compiled=True)
        eager = with_gradients(with_norms, *inputs, norms, weights=weights)
        for actual, expected in zip(compiled, eager, strict=True):
            torch.testing.assert_close(actual, expected, **CLOSE[kind])
    assert num_compiled_graphs() == 2


@pytest.mark.slow
def test_more_than_eight_cases_are_compiled(compiler: None) -> None:
    """torch compiles one code object eight times, and then runs it eagerly without a warning."""
    for axes in range(10):
        shape = [1 if axes >> index & 1 else 2 + index for index in range(4)]
        (actual,) = arl_fused.run_compiled(add_one, torch.zeros(shape))
        torch.testing.assert_close(actual, torch.ones(shape))
    assert num_compiled_graphs() == 10


def add_one(grid: Tensor) -> tuple[Tensor]:
    return (grid + 1,)
