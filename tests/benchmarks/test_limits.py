"""What a machine can do at most: the work is as large as it is said to be."""

import torch
from torch.utils.flop_counter import FlopCounterMode


def test_a_convolution_has_the_operations_that_are_said_of_it(script):
    limits = script("limits")
    with FlopCounterMode(display=False) as counter:
        limits.convolution(2, torch.float32, "cpu")()
    assert counter.get_total_flops() / 1e9 == limits.billions_of(images=2)
