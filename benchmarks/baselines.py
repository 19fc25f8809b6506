"""The same work by others: timm's scripts, a plain torchvision loop, Lightning as it comes, and ours as it comes.

python benchmarks/peers.py [--rounds N] [--json FILE] [--long]

JPEGs of 600 × 450 to batches of 224 × 224 to a small network. Each way in a process of its own, in turn; peers have a
loader's worker a core, and torch its own choice of threads. What is drawn once (our store) is drawn in the warm-up.
"""

import os
import tempfile
from pathlib import Path

import peer_inference
import peer_training
from apart import each_apart
from harness import alternately, finish, options
from peer_work import written


def main() -> None:
    long = options().long
    networks = {"mobilenetv2_100": 16, "resnet50": 16} if long else {"mobilenetv2_100": 16}
    images = 512 if long else 128
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = written(Path(name), images)
        os.environ["LESIONLENS_CACHE"] = str(folder / "cache")  # of all processes that follow
        for network, batch in networks.items():
            for work, makers in (("training", peer_training.WAYS), ("inference", peer_inference.WAYS)):
                with each_apart(makers, folder, network, batch) as ways:
                    rows.append(alternately(f"{work}, {network}", ways, items=images))
    finish("The same work by others", rows)


if __name__ == "__main__":
    main()
