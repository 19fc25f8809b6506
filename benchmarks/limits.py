"""What this machine can do at most: products of matrices in float32 and bf16, and copies in memory."""

import torch
from harness import alternately, finish
from torch import Tensor

SIDE = {"cpu": 2048, "cuda": 8192}
COPIED = {"cpu": 2**28, "cuda": 2**31}  # bytes: more than any cache holds


def product(dtype: torch.dtype, device: str) -> tuple[Tensor, Tensor]:
    """Give two square matrices."""
    side = SIDE[device]
    made = torch.ones((2, side, side), dtype=dtype, device=device)
    return made[0], made[1]


def multiply(a: Tensor, b: Tensor) -> None:
    a @ b
    wait(a.device.type)


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
        source = torch.ones(COPIED[device], dtype=torch.uint8, device=device)
        target = torch.empty_like(source)
        moved = 2 * COPIED[device] / 1e9  # read and written
        ways = {"limit": lambda source=source, target=target: copy(source, target)}
        rows.append(alternately(f"{device}, memory, read and written", ways, items=moved, unit="GB/s"))
    finish("Limits of the machine", rows)


if __name__ == "__main__":
    main()
