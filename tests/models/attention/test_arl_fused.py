"""The operation that keeps no mask against the formula written plainly, in every type, layout and form."""

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


def drawn(*shape: int, kind: torch.dtype = torch.float64, layout: torch.memory_format) -> list[Tensor]:
    """Draw x, F(x) and what is asked of their sum."""
    generator = torch.Generator().manual_seed(3)
    grids = (2 * torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(3))
    return [each.to(kind).to(memory_format=layout) for each in grids]


def with_gradients(
    how: object,
    x: Tensor,
    residual: Tensor,
    wanted: Tensor,
    *options: object,
    weights: Sequence[Tensor] = (),
    **named: object,
) -> tuple[Tensor, ...]:
    """Give the sum, and its gradients for x, F(x), alpha and weights."""
    x, residual = x.detach().requires_grad_(), residual.detach().requires_grad_()
    alpha = torch.tensor(0.3, dtype=torch.promote_types(x.dtype, torch.float32), requires_grad=True)
    y = how(x, residual, alpha, *options, **named)  # type: ignore[operator]
    return (y.detach(), *torch.autograd.grad(y, (x, residual, alpha, *weights), wanted.to(y.dtype)))


@EVERY
@LAYOUTS
def test_gradients_and_theirs_are_those_of_finite_differences(
    normalization: str, layout: torch.memory_format
) -> None:
    x, residual, _ = drawn(2, 3, 3, 2, layout=layout)
    alpha = torch.tensor(0.3, dtype=torch.float64)
    given = [each.requires_grad_() for each in (x, residual, alpha)]

    def run(*these: Tensor) -> Tensor:
        return fused_arl(*these, normalization=normalization)

    assert torch.autograd.gradcheck(run, given)
    assert torch.autograd.gradgradcheck(run, given)


@EVERY
@LAYOUTS
@pytest.mark.parametrize("kind", [torch.float64, torch.float32])
def test_equals_the_plain_formula(normalization: str, layout: torch.memory_format, kind: torch.dtype) -> None:
    given = drawn(3, 16, 7, 5, kind=kind, layout=layout)
    ours = with_gradients(fused_arl, *given, normalization=normalization)
    plain = with_gradients(formula, *given, normalization)
    bound = {"rtol": 1e-12, "atol": 1e-12} if kind == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
    for found, expected in zip(ours, plain, strict=True):
        torch.testing.assert_close(found, expected, **bound)
    assert all(each.is_contiguous(memory_format=layout) for each in ours[:3])


@EVERY
def test_bf16_is_rounded_once(normalization: str) -> None:
    """Against float64 on the same rounded inputs: what is lost is half a unit in the last place, 2 ** -9, and a bit."""
    given = drawn(3, 16, 14, 14, kind=torch.bfloat16, layout=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        ours = with_gradients(fused_arl, *given, normalization=normalization)
    exact = with_gradients(formula, *(each.double() for each in given), normalization)
    assert [each.dtype for each in ours] == [torch.bfloat16] * 3 + [torch.float32]
    for found, expected in zip(ours, exact, strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=2**-8, atol=1e-5)


def kept(how: object, *options: object, **named: object) -> int:
    """Count the values that are kept for the backward pass, x and F(x) once each."""
    x, residual, _ = drawn(2, 8, 6, 6, kind=torch.float32, layout=torch.channels_last)
    found: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        found[tensor.data_ptr()] = tensor.numel()
        return tensor.detach()

    alpha = torch.tensor(0.3, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        how(x.requires_grad_(), residual.requires_grad_(), alpha, *options, **named)  # type: ignore[operator]
    return sum(found.values())


@EVERY
def test_keeps_x_the_residual_and_sums_alone(normalization: str) -> None:
    grid = 2 * 8 * 6 * 6
    sums = {"channel": 2 * 6 * 6, "sigmoid": 0}.get(normalization, 2 * 8)
    assert kept(fused_arl, normalization=normalization) == 2 * grid + sums + 1
    # one more than the mask, which a sigmoid's gradient needs as well: alpha times the mask
    assert kept(formula, normalization) >= 3 * grid


def test_used_twice_and_seen_twice() -> None:
    """One gate in two sums, and a graph that is walked twice."""
    x, residual, _ = drawn(1, 4, 3, 3, layout=torch.channels_last)
    alpha = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    ours = fused_arl(fused_arl(x, residual, alpha), residual, alpha).sum()
    plain = formula(formula(x, residual, alpha, "spatial"), residual, alpha, "spatial").sum()
    expected = torch.autograd.grad(plain, alpha)
    for _ in range(2):
        torch.testing.assert_close(torch.autograd.grad(ours, alpha, retain_graph=True), expected)


def test_gradients_of_gradients_where_the_residual_follows_from_x() -> None:
    """As it does in a block: what comes to x by way of F(x) must count once."""
    x, weight, _ = (each.requires_grad_() for each in drawn(2, 3, 3, 2, layout=torch.channels_last))
    alpha = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

    def run(x: Tensor, weight: Tensor, alpha: Tensor) -> Tensor:
        y = fused_arl(x, (weight * x).tanh(), alpha)
        return fused_arl(y, y, alpha)

    given = (x, weight, alpha)
    once, twice = (
        torch.autograd.grad(run(*given).square().sum(), given, create_graph=graph) for graph in (False, True)
    )
    for found, expected in zip(twice, once, strict=True):
        torch.testing.assert_close(found, expected)
    assert torch.autograd.gradgradcheck(run, given)


def and_relu(*given: Tensor, **named: object) -> Tensor:
    """Add, and rectify in place as whatever follows may."""
    return torch.relu_(fused_arl(*given, **named))  # type: ignore[arg-type]


def test_what_cannot_be_compiled_is_said_once_and_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_compiler(_: object) -> object:
        def fail(*_: object) -> None:
            raise RuntimeError("no C++ compiler here\nand more")

        return fail

    monkeypatch.setattr(torch, "compile", without_compiler)
    arl_fused._compile.cache_clear()
    given = drawn(2, 8, 4, 3, kind=torch.float32, layout=torch.channels_last)
    with pytest.warns(UserWarning, match="runs uncompiled, slower but with equal results: no C"):
        ours = with_gradients(and_relu, *given, compiled=True)
    with_gradients(and_relu, *given, compiled=True)  # a warning would be an error
    arl_fused._compile.cache_clear()
    plain = with_gradients(lambda *these: formula(*these, "spatial").relu(), *given)
    for found, expected in zip(ours, plain, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start anew: nothing compiled, nothing counted."""
    if shutil.which("g++") is None:
        pytest.skip("there is no C++ compiler here")
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the checks of axes cannot be compiled
    torch.compiler.reset()
    arl_fused._compile.cache_clear()
    torch._dynamo.utils.counters.clear()
    yield
    arl_fused._compile.cache_clear()


def graphs() -> int:
    """Count what was compiled."""
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


CLOSE = {torch.float32: {"rtol": 1e-4, "atol": 1e-4}, torch.bfloat16: {"rtol": 2**-7, "atol": 1e-3}}
SHAPES = ((2, 64, 8, 6), (8, 256, 8, 8), (7, 224, 7, 2), (3, 24, 13, 17), (2, 19, 6, 5))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@EVERY
def test_compiled_once_for_all_sizes_it_gives_the_same(
    normalization: str, kind: torch.dtype, compiler: None
) -> None:
    """Also where sides are equal, which a compiler takes for one and the same."""

    def check(*shape: int) -> None:
        given = drawn(*shape, kind=kind, layout=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
            compiled = with_gradients(and_relu, *given, normalization=normalization, compiled=True)
            eager = with_gradients(and_relu, *given, normalization=normalization)
        for found, expected in zip(compiled, eager, strict=True):
            torch.testing.assert_close(found, expected, **CLOSE[kind])

    for shape in SHAPES:
        check(*shape)
    assert graphs() == 2  # forward and backward
    for shape in ((4, 128, 1, 1), (7, 224, 7, 1)):
        check(*shape)  # compiled anew: a side of one is a case of its own


@pytest.mark.slow
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("projected", [False, True])
@EVERY
def test_with_late_norms_it_is_compiled_once_too(
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
        given = drawn(*shape, kind=kind, layout=torch.channels_last)
        norms = [nn.BatchNorm2d(shape[1]) for _ in range(2)]
        weights = [each for norm in norms[0 if projected else 1 :] for each in norm.parameters()]
        for place, weight in enumerate(weights):
            nn.init.normal_(weight, mean=1, generator=torch.Generator().manual_seed(place))
        compiled = with_gradients(with_norms, *given, norms, weights=weights, compiled=True)
        eager = with_gradients(with_norms, *given, norms, weights=weights)
        for found, expected in zip(compiled, eager, strict=True):
            torch.testing.assert_close(found, expected, **CLOSE[kind])
    assert graphs() == 2


@pytest.mark.slow
def test_many_cases_in_one_process_are_all_compiled(compiler: None) -> None:
    """Torch compiles one code eight times, then runs it as it stands without a word."""
    for axes in range(10):
        shape = [1 if axes >> place & 1 else 2 + place for place in range(4)]
        (found,) = arl_fused.run_compiled(add_one, torch.zeros(shape))
        torch.testing.assert_close(found, torch.ones(shape))
    assert graphs() == 10


def add_one(grid: Tensor) -> tuple[Tensor]:
    return (grid + 1,)
