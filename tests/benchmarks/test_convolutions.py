"""The least work of a step is all of its convolutions and products, and nothing else."""

import torch
from torch.utils.flop_counter import FlopCounterMode


def operations(work) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def test_as_many_operations_as_a_step(script):
    network = {"backbone": "test_resnet"}
    step = script("steps").plain(network, 2, 64)
    least = script("convolutions").alone(network, 2, 64, bf16=False)
    assert operations(least) == operations(step) > 0


def test_layers_are_seen_with_their_shapes_and_left_as_they_were(script):
    model = script("steps").make({"backbone": "test_resnet"})
    found = script("convolutions").shapes_of(model, torch.rand(2, 3, 64, 64))
    layers = [each for each in model.modules() if isinstance(each, torch.nn.Conv2d | torch.nn.Linear)]
    assert set(found) == set(layers)
    assert found[layers[-1]] == ((2, layers[-1].in_features), (2, 7))
    assert not any(each._forward_hooks for each in layers)
