"""A trained network over batches of crops: each engine against PyTorch as it comes, and against one convolution.

Each way has a process of its own. The limit is one large convolution of as many operations, in the precision of ours.
"""

import os
from collections.abc import Callable
from functools import partial
from tempfile import TemporaryDirectory

import numpy as np
import torch
from apart import each_apart, each_turn
from harness import Row, alternately, finish, options
from limits import billions_of, convolution

from lesionlens.engines.engine import EngineName, Precision, open_engine
from lesionlens.models.bundle import Card, Loaded
from lesionlens.models.create import architecture
from lesionlens.preprocessing import Preprocessing
from lesionlens.training.allocator import keep_freed_memory

GFLOPS = {"resnet50": 8.2, "mobilenetv2_100": 0.6}  # of one image, 224 × 224
OFTEN = {1: 10, 16: 1}  # single images are so many in a turn
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def network(backbone: str) -> Loaded:
    """Make the same untrained network of seven classes in each process."""
    torch.manual_seed(0)
    made = architecture(backbone=backbone)
    card = Card(architecture=made, classes=tuple("abcdefg"), preprocessing=Preprocessing())
    return Loaded(made.build(7).eval(), card)


def crops(batch: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (batch, 1, 224, 224, 3), dtype=np.uint8)


def plainly(backbone: str, batch: int) -> Callable[[], object]:
    """PyTorch as it comes: float32, eager."""
    loaded, seen = network(backbone), crops(batch)

    def go() -> None:
        with torch.no_grad():
            x = loaded.card.preprocessing.normalised(torch.from_numpy(seen[:, 0])).contiguous()
            loaded.model(x).logits.softmax(dim=1)

    return go


def by_engine(
    backbone: str, batch: int, *, name: EngineName, precision: Precision = "fp32"
) -> Callable[[], object]:
    engine = open_engine(network(backbone), name, precision=precision, images=batch)
    return partial(engine.scores, crops(batch))


def convolve(backbone: str, batch: int, *, precision: Precision = "fp32") -> Callable[[], object]:
    """Convolve as much as the network does, at once."""
    keep_freed_memory()
    images = max(1, round(GFLOPS[backbone] * batch / billions_of(images=1)))
    return convolution(images, TYPES[precision], "cpu")


def row(backbone: str, batch: int, precision: Precision, *, demand: float | None, unit: str = "img/s") -> Row:
    """Compare what can compute in a precision; ours is OpenVINO, which ``auto`` takes on a processor."""
    times = OFTEN[batch]
    turn = partial(each_turn, times=times)
    ways = {
        "naive": turn(plainly),
        "ours": turn(by_engine, name="openvino", precision=precision),
        "our torch": turn(by_engine, name="torch", precision=precision),
        "limit": turn(convolve, precision=precision),
    }
    if precision == "fp32":
        ways["our onnxruntime"] = turn(by_engine, name="onnxruntime")
    title = f"{backbone}, {precision}, batch {batch}"
    with each_apart(ways, backbone, batch) as running:
        return alternately(title, running, items=times * batch, unit=unit, demand=demand)


def main() -> None:
    said = options()
    with TemporaryDirectory() as cache:
        os.environ["LESIONLENS_CACHE"] = cache  # before the first process starts
        rows = [
            row("resnet50", 16, "fp32", demand=2.2),
            row("resnet50", 16, "bf16", demand=10),
            row("resnet50", 1, "bf16", demand=5, unit="ms"),
        ]
        if said.long:
            rows += [row("resnet50", 1, "fp32", demand=None, unit="ms")]
            rows += [row("mobilenetv2_100", 16, precision, demand=None) for precision in ("fp32", "bf16")]
    finish("Inference", rows)


if __name__ == "__main__":
    main()
