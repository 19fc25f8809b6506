"""A training step as a run computes it, in float32 and bf16, against the plain way: each in a process of its own.

The limit: the convolutions and products of the step alone.

    python benchmarks/train_step.py [--rounds N] [--json FILE] [--long]

The allocator's setting holds for a whole process, so the plain way must not share ours.
"""

import convolutions
import steps
from apart import each_apart, each_turn
from harness import Row, alternately, finish, options

SIZE = 224
NETWORKS: dict[str, tuple[dict[str, str], float | None, float | None]] = {  # demands: float32, bf16
    "ResNet-50": ({"backbone": "resnet50"}, 1.4, 3.0),
    "VGG-16": ({"backbone": "vgg16"}, None, 4.5),
}
LONGER: dict[str, tuple[dict[str, str], float | None, float | None]] = {
    "DenseNet-121": ({"backbone": "densenet121"}, None, None),
    "MobileNet-v2": ({"backbone": "mobilenetv2_100"}, None, None),
}


def compare(name: str, network: dict[str, str], exact: float | None, rough: float | None) -> list[Row]:
    batch = 16 if options().long else (8 if network["backbone"] != "vgg16" else 4)
    rows = []
    for kind, ours, demand in (("float32", steps.exact, exact), ("bf16", steps.rough, rough)):
        least = each_turn(convolutions.alone, bf16=kind == "bf16")
        all_ways = {"naive": each_turn(steps.plain), "ours": each_turn(ours), "limit": least}
        with each_apart(all_ways, network, batch, SIZE) as ways:
            title = f"{name}, {kind}, batch {batch}"
            rows.append(alternately(title, ways, items=batch, demand=demand, rounds=rounds()))
    return rows


def rounds() -> int:
    return options().rounds if options().long else min(3, options().rounds)


def main() -> None:
    wanted = NETWORKS | (LONGER if options().long else {})
    rows = [found for name, said in wanted.items() for found in compare(name, *said)]
    finish(f"Training steps at {SIZE} pixels", rows)


if __name__ == "__main__":
    main()
