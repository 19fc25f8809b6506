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

INPUT_SIZE = 224
STEP_BY_PRECISION = {"float32": steps.exact, "bf16": steps.rough}
Target = float | None
CASES: Sequence[tuple[str, str, Target]] = (
    ("resnet50", "float32", 1.4),
    ("resnet50", "bf16", 3.0),
    ("vgg16", "bf16", 4.5),
)
FULL_CASES: Sequence[tuple[str, str, Target]] = (
    ("vgg16", "float32", None),
    *((name, kind, None) for name in ("densenet121", "mobilenetv2_100") for kind in STEP_BY_PRECISION),
)


def measure_case(backbone: str, precision: str, target: Target) -> Row:
    batch = 16 if options().long else (8 if backbone != "vgg16" else 4)
    all_ways = {
        "naive": each_turn(steps.plain),
        "ours": each_turn(STEP_BY_PRECISION[precision]),
        "limit": each_turn(convolutions.alone, bf16=precision == "bf16"),
    }
    with each_apart(all_ways, {"backbone": backbone}, batch, INPUT_SIZE) as ways:
        title = f"{backbone}, {precision}, batch {batch}"
        return alternately(title, ways, items=batch, demand=target)


def main() -> None:
    wanted = [*CASES, *FULL_CASES] if options().long else CASES
    finish(f"Training steps at {INPUT_SIZE} pixels", [measure_case(*said) for said in wanted])


if __name__ == "__main__":
    main()
