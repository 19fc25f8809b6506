"""What this machine can do at most: products of matrices and convolutions in float32 and bf16, copies in memory."""

from collections.abc import Callable

import torch
from harness import alternately, finish
from torch import Tensor, nn

MATRIX_SIDE = {"cpu": 2048, "cuda": 8192}
CONV_CHANNELS, CONV_SIZE = 256, 28  # of a convolution
CONV_IMAGES = {"cpu": 20, "cuda": 2000}  # images
COPY_BYTES = {"cpu": 2**28, "cuda": 2**31}  # bytes: more than any cache holds


def make_matrices(dtype: torch.dtype, device: str) -> tuple[Tensor, Tensor]:
    """Give two square matrices."""
    side = MATRIX_SIDE[device]
    made = torch.ones((2, side, side), dtype=dtype, device=device)
    return made[0], made[1]


def multiply_matrices(a: Tensor, b: Tensor) -> None:
    a @ b
    synchronize(a.device.type)


def prepare_convolution(images: int, dtype: torch.dtype, device: str) -> Callable[[], None]:
    """Prepare one 3 × 3 convolution of so many images, in channels-last memory."""
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
    """Count the operations of that convolution."""
    return images * 2 * 9 * CONV_CHANNELS**2 * CONV_SIZE**2 / 1e9


def copy_memory(source: Tensor, target: Tensor) -> None:
    target.copy_(source)
    synchronize(source.device.type)


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    torch.set_float32_matmul_precision("highest")  # no TF32: float32 is what it says
    rows = []
    for device in ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]:
        billions = 2 * MATRIX_SIDE[device] ** 3 / 1e9
        for name, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16)):
            a, b = make_matrices(dtype, device)
            ways = {"limit": lambda a=a, b=b: multiply_matrices(a, b)}
            rows.append(alternately(f"{device}, matrices {name}", ways, items=billions, unit="GFLOP/s"))
            ways = {"limit": prepare_convolution(CONV_IMAGES[device], dtype, device)}
            items = convolution_gflop(images=CONV_IMAGES[device])
            rows.append(alternately(f"{device}, convolution {name}", ways, items=items, unit="GFLOP/s"))
        source = torch.ones(COPY_BYTES[device], dtype=torch.uint8, device=device)
        target = torch.empty_like(source)
        moved = 2 * COPY_BYTES[device] / 1e9  # read and written
        ways = {"limit": lambda source=source, target=target: copy_memory(source, target)}
        rows.append(alternately(f"{device}, memory, read and written", ways, items=moved, unit="GB/s"))
    finish("Limits of the machine", rows)


if __name__ == "__main__":
    main()
