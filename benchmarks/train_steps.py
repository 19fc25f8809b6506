"""Training steps to time: a network with its optimizer, as a baseline or as in a run."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lesionlens.core.runtime import retain_freed_memory
from lesionlens.models.arl_resnet import ARLBlockMixin, compile_attention
from lesionlens.models.factory import create_model


def baseline_step(network: dict[str, Any], batch: int, size: int) -> Callable[[], object]:
    """float32, channels first, default allocator."""
    return prepare_step(make_network(network), batch, size, optimized=False, bf16=False)


def fp32_step(network: dict[str, Any], batch: int, size: int) -> Callable[[], object]:
    """As a run in float32."""
    retain_freed_memory()
    return prepare_step(make_network(network), batch, size, optimized=True, bf16=False)


def bf16_step(network: dict[str, Any], batch: int, size: int) -> Callable[[], object]:
    """As a run in bf16."""
    retain_freed_memory()
    return prepare_step(make_network(network), batch, size, optimized=True, bf16=True)


def reference_fp32_step(network: dict[str, Any], batch: int, size: int) -> Callable[[], object]:
    """As a run in float32, with the unfused formula of equation 9."""
    retain_freed_memory()
    return prepare_step(use_reference_formula(make_network(network)), batch, size, optimized=True, bf16=False)


def reference_bf16_step(network: dict[str, Any], batch: int, size: int) -> Callable[[], object]:
    """As a run in bf16, with the unfused formula of equation 9."""
    retain_freed_memory()
    return prepare_step(use_reference_formula(make_network(network)), batch, size, optimized=True, bf16=True)


def make_network(network: dict[str, Any]) -> nn.Module:
    torch.manual_seed(0)
    return create_model(num_classes=7, **network).train()


def use_reference_formula(model: nn.Module) -> nn.Module:
    """Replace the fused operation by torch's softmax over the flattened feature map."""

    def forward(block: Any, x: Tensor) -> Tensor:
        identity, residual = block.identity_and_residual(x)
        mask = residual.flatten(2).float().softmax(dim=2).reshape(residual.shape)
        return block.activation()(residual + identity + block.alpha * mask * identity)

    for block in model.modules():
        if isinstance(block, ARLBlockMixin):
            block.forward = forward.__get__(block)  # type: ignore[method-assign]
    return model


def prepare_step(
    model: nn.Module, batch: int, size: int, *, optimized: bool, bf16: bool
) -> Callable[[], object]:
    layout = torch.channels_last if optimized else torch.contiguous_format
    model = model.to(memory_format=layout)
    if optimized:
        compile_attention(model)
    x = torch.rand(batch, 3, size, size).to(memory_format=layout)
    y = torch.arange(batch) % 7
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, fused=optimized)

    def work() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = nn.functional.cross_entropy(model(x).logits.float(), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return work
