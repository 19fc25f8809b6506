"""A block that keeps less learns the same, to the last bit."""

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from lesionlens.models import arl_block
from lesionlens.models.arl_block import ARLBasicBlock
from lesionlens.models.computed_again import computed_again, normed
from lesionlens.models.create import create_model

NETWORKS = ["resnet26d", "seresnet18", "test_resnet"]


@contextmanager
def nothing_again(*_: object) -> Iterator[None]:
    """Keep every grid, as autograd does by itself."""
    yield


def learnt(name: str, *, train: bool, bf16: bool) -> dict[str, Tensor]:
    """Give all gradients of one step, and what the step left in the network."""
    torch.manual_seed(0)
    model = create_model(backbone=name, attention="arl", num_classes=3, alpha=0.5).train(train)
    model = model.to(memory_format=torch.channels_last)
    x = torch.rand(3, 3, 64, 64).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = nn.functional.cross_entropy(model(x).logits.float(), torch.arange(3))
    loss.backward()
    gradients = {key: value.grad for key, value in model.named_parameters() if value.grad is not None}
    assert len(gradients) == len(list(model.parameters()))
    return gradients | {f"buffer {key}": value for key, value in model.named_buffers()}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("train", "bf16"), [(True, False), (True, True), (False, False)])
def test_gradients_and_statistics_are_the_same(
    name: str, train: bool, bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    less = learnt(name, train=train, bf16=bf16)
    monkeypatch.setattr(arl_block, "computed_again", nothing_again)
    whole = learnt(name, train=train, bf16=bf16)
    for key, value in whole.items():
        torch.testing.assert_close(less[key], value, rtol=0, atol=0, msg=key)


def learning_block() -> ARLBasicBlock:
    model = create_model(backbone="test_resnet", attention="arl", num_classes=2, alpha=0.5).train()
    return next(module for module in model.modules() if isinstance(module, ARLBasicBlock))


def test_works_on_shapes_alone() -> None:
    with FakeTensorMode():
        block = learning_block()
        given = torch.rand(2, block.conv1.in_channels, 8, 8, requires_grad=True)
        block(given).sum().backward()
    assert given.grad is not None
    assert given.grad.shape == given.shape


def test_without_a_backward_pass_nothing_stays_alive() -> None:
    """An operation that keeps what it gives must not hold itself."""
    block = learning_block()
    x = torch.rand(2, block.conv1.in_channels, 8, 8, requires_grad=True)
    given = x * 1
    watched = weakref.ref(given)
    y = block(given)
    del given, y
    gc.collect()
    assert watched() is None


def test_what_is_changed_in_place_is_told_not_learnt_wrongly() -> None:
    block = learning_block()
    y = block(torch.rand(2, block.conv1.in_channels, 8, 8, requires_grad=True))
    y.add_(5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_the_grid_that_was_kept_lives_no_longer_than_it_is_needed() -> None:
    """What is saved must not hold the grid that it stands for."""
    norm = nn.BatchNorm2d(4)
    made = normed(norm, torch.rand(2, 4, 5, 5, requires_grad=True))
    with computed_again(made):
        y = made.grid.square()
    with torch.no_grad():
        made.grid.zero_()  # were it still needed, autograd would refuse what follows, or be wrong
    y.sum().backward()
    assert norm.weight.grad is not None
    torch.testing.assert_close(norm.weight.grad, 2 * 2 * 25 * norm.weight.detach(), rtol=1e-3, atol=1e-3)
