"""What is saved_bytes for the backward pass, counted by hand and for attention residual learning."""

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
    """Compiled; here what is compiled runs as it stands, which keeps the same."""
    monkeypatch.setattr(arl_operation, "run_compiled", lambda formula, *given: formula(*given))

    def saved_bytes(attention: str) -> int:
        model = create_model(backbone="resnet26d", attention=attention, num_classes=3)
        compile_attention(model)
        model, x = (each.to(memory_format=torch.channels_last) for each in (model, torch.rand(2, 3, 32, 32)))
        return script("saved_activations").saved_activation_bytes(model, x)

    widths = 256 + 512 + 1024 + 2048
    late = 3 * widths  # channels of the norms that end two blocks and a shortcut in each stage
    sums = 2 * 2 * widths  # of two images in two blocks
    gates, last = 8, 2 * 2048 * 1 * 1  # the last grid, which a ReLU of its own keeps
    # a norm keeps its running mean and variance as well, a late one its bias
    assert saved_bytes("arl") == saved_bytes("none") + 4 * (gates + sums + late - 2 * late - last)
