"""The least that a network's work needs: its convolutions and products of matrices, and nothing between them."""

from collections.abc import Callable
from typing import Any

import steps
import torch
from torch import Tensor, nn

from lesionlens.core.runtime import retain_freed_memory

LayerShapes = tuple[torch.Size, torch.Size]


def prepare_products_only(
    network: dict[str, Any], batch: int, size: int, *, bf16: bool
) -> Callable[[], object]:
    """Compute each convolution and each product of a training step, forward and backward, on numbers of no meaning.

    In channels-last memory and one precision: nothing is normalised, rectified, added, cast or learnt, not even a bias.
    """
    retain_freed_memory()
    kind = torch.bfloat16 if bf16 else torch.float32
    model = steps.make(network)
    layers = list(product_shapes(model, torch.rand(batch, 3, size, size)).items())
    for layer, _ in layers:
        layer.register_parameter("bias", None)
    model = model.to(kind).to(memory_format=torch.channels_last)
    most = max(shape.numel() for _, shapes in layers for shape in shapes)
    memory = torch.rand(2, most).to(kind)

    def work() -> None:
        for number, (layer, (given, made)) in enumerate(layers):
            x, y = view_channels_last(memory[0], given), view_channels_last(memory[1], made)
            forward_and_backward(layer, x, y, first=number == 0)

    return work


def product_shapes(model: nn.Module, x: Tensor) -> dict[nn.Module, LayerShapes]:
    """Tell what each layer with a product is given and gives; one that is used twice counts once."""
    found: dict[nn.Module, LayerShapes] = {}

    def note(layer: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        found[layer] = given[0].shape, made.shape

    hooks = [
        layer.register_forward_hook(note)
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return found


def view_channels_last(memory: Tensor, shape: torch.Size) -> Tensor:
    """Take so many numbers of a memory, places before channels."""
    numbers = memory[: shape.numel()]
    if len(shape) != 4:
        return numbers.view(shape)
    b, c, h, w = shape
    return numbers.view(b, h, w, c).permute(0, 3, 1, 2)


def forward_and_backward(layer: nn.Module, x: Tensor, y: Tensor, *, first: bool) -> None:
    """Compute a layer, and from the gradient y of what it gives those of its weight and (not of images) its input."""
    with torch.no_grad():
        layer(x)
        if isinstance(layer, nn.Linear):
            y @ layer.weight
            y.T @ x
        elif isinstance(layer, nn.Conv2d):
            places = (layer.stride, layer.padding, layer.dilation, False, (0, 0), layer.groups)
            wanted = (not first, True, False)
            torch.ops.aten.convolution_backward(y, x, layer.weight, None, *places, wanted)
