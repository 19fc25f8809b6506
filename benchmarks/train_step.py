"""Training steps a second of the networks, in float32 and bf16, alternately in one run. Prints a table, writes JSON.

python benchmarks/train_step.py [train_step.json]
"""

import json
import sys
import time
from pathlib import Path

import torch

from lesionlens.models.create import create_model
from lesionlens.training.allocator import keep_freed_memory

SIZE, BATCH, ROUNDS = 224, 16, 3
NETWORKS = {
    "mobilenetv2_100": {"backbone": "mobilenetv2_100"},
    "resnet14": {"name": "resnet14"},
    "arl_cnn14": {"name": "arl_cnn14"},
    "resnet50": {"name": "resnet50"},
    "arl_cnn50": {"name": "arl_cnn50"},
}


class Step:
    """One network with its optimiser, ready to be timed."""

    def __init__(self, options: dict[str, str], *, fast: bool) -> None:
        layout = torch.channels_last if fast else torch.contiguous_format
        self.model = create_model(num_classes=7, **options).train().to(memory_format=layout)
        self.x = torch.rand(BATCH, 3, SIZE, SIZE).to(memory_format=layout)
        self.y = torch.arange(BATCH) % 7
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.01)
        self.fast = fast

    def seconds(self) -> float:
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.fast):
            loss = torch.nn.functional.cross_entropy(self.model(self.x).logits.float(), self.y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return time.perf_counter() - started


def main() -> None:
    keep_freed_memory()
    rows = []
    print(f"{'images/s at 224 px':<20}{'float32':>10}{'bf16':>10}{'ratio':>8}")
    for name, options in NETWORKS.items():
        exact, fast = Step(options, fast=False), Step(options, fast=True)
        exact.seconds(), fast.seconds()  # warm up
        pairs = [(exact.seconds(), fast.seconds()) for _ in range(ROUNDS)]
        best = [BATCH / min(column) for column in zip(*pairs, strict=True)]
        rows.append({"network": name, "float32": best[0], "bf16": best[1]})
        print(f"{name:<20}{best[0]:>10.1f}{best[1]:>10.1f}{best[1] / best[0]:>8.1f}")
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
