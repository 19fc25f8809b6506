"""What is kept for the backward pass, counted by hand and for attention residual learning."""

import torch
from torch import nn

from lesionlens.models.create import create_model


def test_each_memory_counts_once(script):
    linear = nn.Linear(3, 5, bias=False)
    x = torch.rand(2, 3, requires_grad=True)
    assert script("kept").kept_bytes(linear, x) == 4 * (2 * 3 + 3 * 5)  # x and the weight
    twice = nn.Sequential(linear, nn.Sigmoid())
    assert script("kept").kept_bytes(twice, x) == 4 * (2 * 3 + 3 * 5 + 2 * 5)


def test_attention_keeps_beyond_the_residual_network_gates_sums_and_projected_shortcuts(script):
    kept = {
        attention: script("kept").kept_bytes(
            create_model(backbone="resnet26d", attention=attention, num_classes=3),
            torch.rand(2, 3, 64, 64),
        )
        for attention in ("none", "arl")
    }
    channels = (256, 512, 1024, 2048)
    sums = 2 * 2 * sum(channels)  # of two images, in each channel that two blocks give
    shortcuts = 2 * sum(c * side * side for c, side in zip(channels, (16, 8, 4, 2), strict=True))
    assert kept["arl"] == kept["none"] + 4 * (8 + sums + shortcuts)  # and a gate for each block
