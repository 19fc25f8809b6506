"""Bytes saved for the backward pass: hand-computed, and for attention residual learning."""

import torch
from torch import nn

from lesionlens.models.arl_resnet import compile_attention
from lesionlens.models.attention import arl_fused as arl_operation
from lesionlens.models.factory import create_model


def test_shared_memory_counts_once(script):
    linear = nn.Linear(3, 5, bias=False)
    x = torch.rand(2, 3, requires_grad=True)
    assert script("saved_activations").saved_activation_bytes(linear, x) == 4 * (
        2 * 3 + 3 * 5
    )  # x and the weight
    twice = nn.Sequential(linear, nn.Sigmoid())
    assert script("saved_activations").saved_activation_bytes(twice, x) == 4 * (2 * 3 + 3 * 5 + 2 * 5)


def test_attention_saves_only_gates_and_sums_more_than_resnet(script, monkeypatch):
    """With compilation, replaced here by the eager formula, which saves the same values."""
    monkeypatch.setattr(arl_operation, "run_compiled", lambda formula, *given: formula(*given))

    def saved_bytes(attention: str) -> int:
        model = create_model(backbone="resnet26d", attention=attention, num_classes=3)
        compile_attention(model)
        model, x = (item.to(memory_format=torch.channels_last) for item in (model, torch.rand(2, 3, 32, 32)))
        return script("saved_activations").saved_activation_bytes(model, x)

    widths = 256 + 512 + 1024 + 2048
    deferred = 3 * widths  # channels of the last norms of two blocks and of a shortcut in each stage
    sums = 2 * 2 * widths  # two images, two blocks
    gates, last = 8, 2 * 2048 * 1 * 1  # the last feature map, which a separate ReLU saves
    # a norm also saves its running mean and variance, a deferred one its bias
    assert saved_bytes("arl") == saved_bytes("none") + 4 * (gates + sums + deferred - 2 * deferred - last)
