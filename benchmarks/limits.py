"""What this machine can do at most: products of matrices and convolutions in float32 and bf16, copies in memory."""

from collections.abc import Callable

import torch
from harness import alternately, finish
from torch import Tensor, nn

SIDE = {"cpu": 2048, "cuda": 8192}
CHANNELS, GRID = 256, 28  # of a convolution
CONVOLVED = {"cpu": 20, "cuda": 2000}  # images
COPIED = {"cpu": 2**28, "cuda": 2**31}  # bytes: more than any cache holds


def product(dtype: torch.dtype, device: str) -> tuple[Tensor, Tensor]:
    """Give two square matrices."""
    side = SIDE[device]
    made = torch.ones((2, side, side), dtype=dtype, device=device)
    return made[0], made[1]


def multiply(a: Tensor, b: Tensor) -> None:
    a @ b
    wait(a.device.type)


def convolution(images: int, dtype: torch.dtype, device: str) -> Callable[[], None]:
    """Prepare one 3 × 3 convolution of so many images, in channels-last memory."""
    layer = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False, dtype=dtype, device=device)
    layer = layer.to(memory_format=torch.channels_last)
    x = torch.ones(images, CHANNELS, GRID, GRID, dtype=dtype, device=device)
    x = x.to(memory_format=torch.channels_last)

    def work() -> None:
        with torch.no_grad():
            layer(x)
        wait(device)

    return work


def billions_of(*, images: int) -> float:
    """Count the operations of that convolution."""
    return images * 2 * 9 * CHANNELS**2 * GRID**2 / 1e9


def copy(source: Tensor, target: Tensor) -> None:
    target.copy_(source)
    wait(source.device.type)


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    torch.set_float32_matmul_precision("highest")  # no TF32: float32 is what it says
    rows = []
    for device in ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]:
        billions = 2 * SIDE[device] ** 3 / 1e9
        for name, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16)):
            a, b = product(dtype, device)
            ways = {"limit": lambda a=a, b=b: multiply(a, b)}
            rows.append(alternately(f"{device}, matrices {name}", ways, items=billions, unit="GFLOP/s"))
            ways = {"limit": convolution(CONVOLVED[device], dtype, device)}
            items = billions_of(images=CONVOLVED[device])
            rows.append(alternately(f"{device}, convolution {name}", ways, items=items, unit="GFLOP/s"))
        source = torch.ones(COPIED[device], dtype=torch.uint8, device=device)
        target = torch.empty_like(source)
        moved = 2 * COPIED[device] / 1e9  # read and written
        ways = {"limit": lambda source=source, target=target: copy(source, target)}
        rows.append(alternately(f"{device}, memory, read and written", ways, items=moved, unit="GB/s"))
    finish("Limits of the machine", rows)


if __name__ == "__main__":
    main()
