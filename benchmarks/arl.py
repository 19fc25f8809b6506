"""Cost of attention residual learning in a training step, relative to ResNet-50 and to the paper's formula.

    python benchmarks/arl.py [--rounds N] [--json FILE] [--full]

Each variant runs in its own process. The roofline is ResNet-50: attention without cost.
"""

from functools import partial

import torch
import train_steps
from harness import ResultRow, make_row, parse_options, report_results, time_variants
from isolated_process import isolated_processes, make_variant
from peak_memory import measure_peak_memory
from saved_activations import saved_activation_bytes

from lesionlens.models.arl_resnet import compile_attention

INPUT_SIZE = 224
REFERENCE_STEPS = {"bf16": train_steps.reference_bf16_step, "float32": train_steps.reference_fp32_step}
OUR_STEPS = {"bf16": train_steps.bf16_step, "float32": train_steps.fp32_step}
RESNET_KWARGS = {"backbone": "resnet50"}
ARL_KWARGS = {"name": "arl_cnn50"}


def measure_speed(precision: str, *, target_speedup: float | None, target_fraction: float) -> list[ResultRow]:
    """Compare with ResNet-50, and with the formula if it has a target or with --full."""
    full = parse_options().full
    batch, ours = 16 if full else 8, OUR_STEPS[precision]
    variants = {"ours": make_variant(ours)}
    if full or target_speedup is not None:
        variants = {"baseline": make_variant(REFERENCE_STEPS[precision]), **variants}
    with (
        isolated_processes(variants, ARL_KWARGS, batch, INPUT_SIZE) as attending,
        isolated_processes({"roofline": make_variant(ours)}, RESNET_KWARGS, batch, INPUT_SIZE) as reference,
    ):
        seconds = time_variants({**attending, **reference}, rounds=parse_options().rounds)
    title = f"ARL-CNN50, {precision}, batch {batch}"
    compared = {variant: seconds[variant] for variant in ("ours", "roofline")}
    speedup = [make_row(title, seconds, items=batch, target=target_speedup)] if "baseline" in variants else []
    return [
        *speedup,
        make_row(f"{title}: fraction of ResNet-50's speed", compared, items=batch, target=target_fraction),
    ]


def measure_saved_activations(precision: str) -> ResultRow:
    """Measure the bytes saved for the backward pass; the roofline is ResNet-50."""
    batch, bf16 = 2, precision == "bf16"
    x = torch.rand(batch, 3, INPUT_SIZE, INPUT_SIZE).to(memory_format=torch.channels_last)
    models = {
        "baseline": train_steps.use_reference_formula(train_steps.make_network(ARL_KWARGS)),
        "ours": train_steps.make_network(ARL_KWARGS),
        "roofline": train_steps.make_network(RESNET_KWARGS),
    }
    compile_attention(models["ours"])
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        saved = {
            variant: saved_activation_bytes(network.to(memory_format=torch.channels_last), x)
            for variant, network in models.items()
        }
    beyond = {variant: saved[variant] - saved["roofline"] for variant in ("baseline", "ours")}
    note = f"beyond ResNet-50: baseline {beyond['baseline'] / 1e6:.1f} MB, ours {beyond['ours'] / 1e6:.2f} MB"
    costs = {variant: [float(count)] for variant, count in saved.items()}
    return make_row(f"kept for the backward pass, {precision}, batch {batch}", costs, unit="MB", note=note)


def measure_peak(precision: str) -> ResultRow:
    """Measure the peak memory of a process relative to ResNet-50, without the processes of compilers."""
    batch = 16
    works = [
        (OUR_STEPS[precision], RESNET_KWARGS),
        (REFERENCE_STEPS[precision], ARL_KWARGS),
        (OUR_STEPS[precision], ARL_KWARGS),
    ]
    costs: dict[str, list[float]] = {"baseline": [], "ours": []}
    for _ in range(parse_options().rounds):  # fragmentation differs between processes
        least, baseline, ours = measure_peak_memory(
            partial(make, network, batch, INPUT_SIZE) for make, network in works
        )
        costs["baseline"].append(baseline - least)
        costs["ours"].append(max(ours - least, 1))
    return make_row(f"peak beyond ResNet-50, {precision}, batch {batch}", costs, unit="MB", target=2.0)


def main() -> None:
    rows = measure_speed("bf16", target_speedup=2.1, target_fraction=0.71) + measure_speed(
        "float32", target_speedup=None, target_fraction=0.91
    )
    if parse_options().full:
        rows += [
            measure_saved_activations("bf16"),
            measure_saved_activations("float32"),
            measure_peak("bf16"),
            measure_peak("float32"),
        ]
    report_results(f"ARL-CNN50 at {INPUT_SIZE} pixels", rows)


if __name__ == "__main__":
    main()
