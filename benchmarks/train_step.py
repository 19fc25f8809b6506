"""A training step as a run computes it, in float32 and bf16, against the plain way: each in a process of its own.

The limit: the convolutions and products of the step alone.

    python benchmarks/train_step.py [--rounds N] [--json FILE] [--long]

The allocator's setting holds for a whole process, so the plain way must not share ours.
"""

from collections.abc import Sequence

import convolutions
import steps
from apart import each_apart, each_turn
from harness import Row, alternately, finish, options

SIZE = 224
OURS = {"float32": steps.exact, "bf16": steps.rough}
Demand = float | None
WORK: Sequence[tuple[str, str, Demand]] = (
    ("resnet50", "float32", 1.4),
    ("resnet50", "bf16", 3.0),
    ("vgg16", "bf16", 4.5),
)
LONGER: Sequence[tuple[str, str, Demand]] = (
    ("vgg16", "float32", None),
    *((name, kind, None) for name in ("densenet121", "mobilenetv2_100") for kind in OURS),
)


def compare(backbone: str, kind: str, demand: Demand) -> Row:
    batch = 16 if options().long else (8 if backbone != "vgg16" else 4)
    all_ways = {
        "naive": each_turn(steps.plain),
        "ours": each_turn(OURS[kind]),
        "limit": each_turn(convolutions.alone, bf16=kind == "bf16"),
    }
    with each_apart(all_ways, {"backbone": backbone}, batch, SIZE) as ways:
        title = f"{backbone}, {kind}, batch {batch}"
        return alternately(title, ways, items=batch, demand=demand)


def main() -> None:
    wanted = [*WORK, *LONGER] if options().long else WORK
    finish(f"Training steps at {SIZE} pixels", [compare(*said) for said in wanted])


if __name__ == "__main__":
    main()
