"""Roofline: the work has the stated operations, and products only has as many as a training step."""

import torch
from torch.utils.flop_counter import FlopCounterMode


def operations(work) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def test_convolution_has_the_stated_operations(script):
    roofline = script("roofline")
    gflop = operations(roofline.prepare_convolution(2, torch.float32, "cpu")) / 1e9
    assert gflop == roofline.convolution_gflop(images=2)


def test_products_only_has_as_many_operations_as_a_step(script):
    network = {"backbone": "test_resnet"}
    step = script("train_steps").baseline_step(network, 2, 64)
    least = script("roofline").prepare_products_only(network, 2, 64, bf16=False)
    assert operations(least) == operations(step) > 0


def test_product_shapes_leave_the_layers_unchanged(script):
    model = script("train_steps").make_network({"backbone": "test_resnet"})
    shapes = script("roofline").product_shapes(model, torch.rand(2, 3, 64, 64))
    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)]
    assert set(shapes) == set(layers)
    assert shapes[layers[-1]] == ((2, layers[-1].in_features), (2, 7))
    assert not any(layer._forward_hooks for layer in layers)
