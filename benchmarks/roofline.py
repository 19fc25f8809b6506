"""Roofline: the maximum performance of this machine, and the minimum of work of a network.

Machine: matrix products and convolutions in float32 and bf16, and copies in memory. Network: only its convolutions and
matrix products, and the bytes that its operations read and write without fusion.
"""

from collections.abc import Callable
from typing import Any

import torch
import train_steps
from harness import measure_variants, report_results
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lesionlens.core.runtime import retain_freed_memory

LayerShapes = tuple[torch.Size, torch.Size]

MATRIX_SIDE = {"cpu": 2048, "cuda": 8192}
CONV_CHANNELS, CONV_SIZE = 256, 28  # of a convolution
CONV_IMAGES = {"cpu": 20, "cuda": 2000}  # number of images
COPY_BYTES = {"cpu": 2**28, "cuda": 2**31}  # bytes: larger than any CPU cache


def make_matrices(dtype: torch.dtype, device: str) -> tuple[Tensor, Tensor]:
    """Return two square matrices."""
    side = MATRIX_SIDE[device]
    made = torch.ones((2, side, side), dtype=dtype, device=device)
    return made[0], made[1]


def multiply_matrices(a: Tensor, b: Tensor) -> None:
    a @ b
    synchronize(a.device.type)


def prepare_convolution(images: int, dtype: torch.dtype, device: str) -> Callable[[], None]:
    """Prepare a 3 × 3 convolution of a batch of images in channels-last memory."""
    layer = nn.Conv2d(CONV_CHANNELS, CONV_CHANNELS, 3, padding=1, bias=False, dtype=dtype, device=device)
    layer = layer.to(memory_format=torch.channels_last)
    x = torch.ones(images, CONV_CHANNELS, CONV_SIZE, CONV_SIZE, dtype=dtype, device=device)
    x = x.to(memory_format=torch.channels_last)

    def work() -> None:
        with torch.no_grad():
            layer(x)
        synchronize(device)

    return work


def convolution_gflop(*, images: int) -> float:
    """Return the operations of the convolution in GFLOP."""
    return images * 2 * 9 * CONV_CHANNELS**2 * CONV_SIZE**2 / 1e9


def copy_memory(source: Tensor, target: Tensor) -> None:
    target.copy_(source)
    synchronize(source.device.type)


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def prepare_products_only(
    network: dict[str, Any], batch: int, size: int, *, bf16: bool
) -> Callable[[], object]:
    """Compute only the convolutions and products of a training step, forward and backward, on random numbers.

    In channels-last memory and one precision, without normalization, activation, addition, cast, bias or update.
    """
    retain_freed_memory()
    kind = torch.bfloat16 if bf16 else torch.float32
    model = train_steps.make_network(network)
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
    """Return input and output shapes of each layer with a product; a layer that is used twice counts once."""
    shapes: dict[nn.Module, LayerShapes] = {}

    def note(layer: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        shapes[layer] = given[0].shape, made.shape

    hooks = [
        layer.register_forward_hook(note)
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return shapes


def view_channels_last(memory: Tensor, shape: torch.Size) -> Tensor:
    """Return a channels-last view of the first numbers of a buffer."""
    numbers = memory[: shape.numel()]
    if len(shape) != 4:
        return numbers.view(shape)
    b, c, h, w = shape
    return numbers.view(b, h, w, c).permute(0, 3, 1, 2)


def forward_and_backward(layer: nn.Module, x: Tensor, y: Tensor, *, first: bool) -> None:
    """Compute a layer, and from the gradient y of its output those of weight and, except in the first layer, input."""
    with torch.no_grad():
        layer(x)
        if isinstance(layer, nn.Linear):
            y @ layer.weight
            y.T @ x
        elif isinstance(layer, nn.Conv2d):
            geometry = (layer.stride, layer.padding, layer.dilation, False, (0, 0), layer.groups)
            output_mask = (not first, True, False)
            torch.ops.aten.convolution_backward(y, x, layer.weight, None, *geometry, output_mask)


class MemoryTraffic(TorchDispatchMode):
    """Count the bytes that each operation reads and writes; views move nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.bytes += sum(
                tensor.nbytes
                for tensor in tree_leaves((args, kwargs, output))
                if isinstance(tensor, torch.Tensor)
            )
        return output


def main() -> None:
    torch.set_float32_matmul_precision("highest")  # no TF32
    rows = []
    for device in ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]:
        billions = 2 * MATRIX_SIDE[device] ** 3 / 1e9
        for name, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16)):
            a, b = make_matrices(dtype, device)
            variants = {"roofline": lambda a=a, b=b: multiply_matrices(a, b)}
            rows.append(
                measure_variants(f"{device}, matrices {name}", variants, items=billions, unit="GFLOP/s")
            )
            variants = {"roofline": prepare_convolution(CONV_IMAGES[device], dtype, device)}
            items = convolution_gflop(images=CONV_IMAGES[device])
            rows.append(
                measure_variants(f"{device}, convolution {name}", variants, items=items, unit="GFLOP/s")
            )
        source = torch.ones(COPY_BYTES[device], dtype=torch.uint8, device=device)
        target = torch.empty_like(source)
        moved = 2 * COPY_BYTES[device] / 1e9  # read and written
        variants = {"roofline": lambda source=source, target=target: copy_memory(source, target)}
        rows.append(
            measure_variants(f"{device}, memory, read and written", variants, items=moved, unit="GB/s")
        )
    report_results("Limits of the machine", rows)


if __name__ == "__main__":
    main()
