"""Attention residual learning in a training step: what it costs over ResNet-50, and over the formula written plainly.

    python benchmarks/arl.py [--rounds N] [--json FILE] [--long]

Each way in a process of its own. The limit is ResNet-50: attention that costs nothing.
"""

from functools import partial

import steps
import torch
from apart import each_apart, each_turn
from harness import Row, finish, options, row, timed
from kept import kept_bytes
from peaks import peaks

from lesionlens.models.arl_resnet import compile_attention

INPUT_SIZE = 224
REFERENCE_STEPS = {"bf16": steps.formula_rough, "float32": steps.formula_exact}
OUR_STEPS = {"bf16": steps.rough, "float32": steps.exact}
RESNET_KWARGS = {"backbone": "resnet50"}
ARL_KWARGS = {"name": "arl_cnn50"}


def measure_speed(precision: str, *, target_speedup: float | None, target_fraction: float) -> list[Row]:
    """Compare with ResNet-50, attention that costs nothing; with the formula where that is demanded, or --long."""
    long = options().long
    batch, ours = 16 if long else 8, OUR_STEPS[precision]
    ways = {"ours": each_turn(ours)}
    if long or target_speedup is not None:
        ways = {"naive": each_turn(REFERENCE_STEPS[precision]), **ways}
    with (
        each_apart(ways, ARL_KWARGS, batch, INPUT_SIZE) as attending,
        each_apart({"limit": each_turn(ours)}, RESNET_KWARGS, batch, INPUT_SIZE) as other,
    ):
        seconds = timed({**attending, **other}, rounds=options().rounds)
    title = f"ARL-CNN50, {precision}, batch {batch}"
    beside = {way: seconds[way] for way in ("ours", "limit")}
    against = [row(title, seconds, items=batch, demand=target_speedup)] if "naive" in ways else []
    return [
        *against,
        row(f"{title}: share of ResNet-50's speed", beside, items=batch, demand=target_fraction),
    ]


def measure_saved_activations(precision: str) -> Row:
    """What is kept for the backward pass; the limit is what ResNet-50 keeps."""
    batch, bf16 = 2, precision == "bf16"
    x = torch.rand(batch, 3, INPUT_SIZE, INPUT_SIZE).to(memory_format=torch.channels_last)
    models = {
        "naive": steps.written_plainly(steps.make(ARL_KWARGS)),
        "ours": steps.make(ARL_KWARGS),
        "limit": steps.make(RESNET_KWARGS),
    }
    compile_attention(models["ours"])
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        kept = {
            way: kept_bytes(each.to(memory_format=torch.channels_last), x) for way, each in models.items()
        }
    beyond = {way: kept[way] - kept["limit"] for way in ("naive", "ours")}
    note = f"beyond ResNet-50: naive {beyond['naive'] / 1e6:.1f} MB, ours {beyond['ours'] / 1e6:.2f} MB"
    costs = {way: [float(found)] for way, found in kept.items()}
    return row(f"kept for the backward pass, {precision}, batch {batch}", costs, unit="MB", note=note)


def measure_peak(precision: str) -> Row:
    """What a whole process holds at most beyond one of ResNet-50; what compilers take is in processes of their own."""
    batch = 16
    works = [
        (OUR_STEPS[precision], RESNET_KWARGS),
        (REFERENCE_STEPS[precision], ARL_KWARGS),
        (OUR_STEPS[precision], ARL_KWARGS),
    ]
    costs: dict[str, list[float]] = {"naive": [], "ours": []}
    for _ in range(options().rounds):  # the allocator's gaps differ from process to process
        least, naive, ours = peaks(partial(make, network, batch, INPUT_SIZE) for make, network in works)
        costs["naive"].append(naive - least)
        costs["ours"].append(max(ours - least, 1))
    return row(f"peak beyond ResNet-50, {precision}, batch {batch}", costs, unit="MB", demand=2.0)


def main() -> None:
    rows = measure_speed("bf16", target_speedup=2.1, target_fraction=0.71) + measure_speed(
        "float32", target_speedup=None, target_fraction=0.91
    )
    if options().long:
        rows += [
            measure_saved_activations("bf16"),
            measure_saved_activations("float32"),
            measure_peak("bf16"),
            measure_peak("float32"),
        ]
    finish(f"ARL-CNN50 at {INPUT_SIZE} pixels", rows)


if __name__ == "__main__":
    main()
