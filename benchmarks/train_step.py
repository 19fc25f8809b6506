"""A training step as in a run, in float32 and bf16, against the baseline, in separate processes.

Roofline: only the convolutions and products of the step.

    python benchmarks/train_step.py [--rounds N] [--json FILE] [--full]

Allocator settings apply to the process, so baseline and ours need separate ones.
"""

from collections.abc import Sequence

import roofline
import train_steps
from harness import ResultRow, measure_variants, parse_options, report_results
from isolated_process import isolated_processes, make_variant

INPUT_SIZE = 224
STEP_BY_PRECISION = {"float32": train_steps.fp32_step, "bf16": train_steps.bf16_step}
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


def measure_case(backbone: str, precision: str, target: Target) -> ResultRow:
    batch = 16 if parse_options().full else (8 if backbone != "vgg16" else 4)
    all_variants = {
        "baseline": make_variant(train_steps.baseline_step),
        "ours": make_variant(STEP_BY_PRECISION[precision]),
        "roofline": make_variant(roofline.prepare_products_only, bf16=precision == "bf16"),
    }
    with isolated_processes(all_variants, {"backbone": backbone}, batch, INPUT_SIZE) as variants:
        title = f"{backbone}, {precision}, batch {batch}"
        return measure_variants(title, variants, items=batch, target=target)


def main() -> None:
    cases = [*CASES, *FULL_CASES] if parse_options().full else CASES
    report_results(f"Training steps at {INPUT_SIZE} pixels", [measure_case(*case) for case in cases])


if __name__ == "__main__":
    main()
