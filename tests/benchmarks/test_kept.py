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


def test_attention_keeps_nothing_beyond_the_residual_network_but_gates_and_sums(script):
    kept = {
        attention: script("kept").kept_bytes(
            create_model(backbone="resnet26d", attention=attention, num_classes=3),
            torch.rand(2, 3, 64, 64),
        )
        for attention in ("none", "arl")
    }
    sums = 2 * 2 * (256 + 512 + 1024 + 2048)  # of two images, in each channel that two blocks give
    assert kept["arl"] == kept["none"] + 4 * (8 + sums)  # and a gate for each block
