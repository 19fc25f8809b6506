"""Training and inference on a GPU: PyTorch against LesionLens, and the fraction of the GPU's ceilings.

    python benchmarks/gpu.py [--rounds N] [--json FILE] [--device cpu --smoke]

Results require a CUDA GPU; without one the script reports that and measures nothing. `--device cpu --smoke` runs the
code on toy networks; its numbers are meaningless.

baseline: float32, channels first, otherwise PyTorch's defaults (TF32 in convolutions), with its batch on the GPU.
ours: bf16, channels last, each batch sampled, cropped and augmented from images in GPU memory.
compute: ours without making the batch. compiled: compute with torch.compile. graph: compute as one CUDA graph.

The ceilings are measured: products of large bf16 matrices, and copies in memory. The bytes of a step are those that its
operations read and write without fusion, including parameters and optimizer state.
"""

from collections.abc import Callable, Sequence

import torch
from gpu_loader import BatchFeed
from gpu_steps import NETWORKS, SMOKE_NETWORKS, Workload, inference_variants, training_variants
from harness import ResultRow, measure_variants, parse_options, parser, report_results
from roofline import MemoryTraffic, copy_memory, make_matrices, multiply_matrices
from torch.utils.flop_counter import FlopCounterMode

COPY_BYTES = {"cpu": 2**24, "cuda": 2**31}  # bytes


def main() -> None:
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--smoke", action="store_true", help="toy networks, to try the code")
    device = parse_options().device
    if device == "cuda" and not torch.cuda.is_available():
        print("gpu.py: no CUDA card here; nothing was measured")
        return
    ceilings = [measure_matmul_ceiling(device), measure_memory_ceiling(device)]
    rows = [measure_batch_making(device)]
    for name, work in (SMOKE_NETWORKS if parse_options().smoke else NETWORKS).items():
        for kind, variants_of in (("training", training_variants), ("inference", inference_variants)):
            variants = drop_unsupported(f"{name}, {kind}", variants_of(work, device))
            measured = measure_variants(f"{name}, {kind}", variants, items=work.batch_size)
            rows.append(
                measured.model_copy(
                    update={
                        "note": describe_ceiling_fractions(measured, variants["baseline"], work, ceilings)
                    }
                )
            )
            torch.compiler.reset()
    report_results("On an accelerator", [*ceilings, *rows])


def measure_matmul_ceiling(device: str) -> ResultRow:
    a, b = make_matrices(torch.bfloat16, device)
    billions = 2 * a.shape[0] ** 3 / 1e9
    return measure_variants(
        "ceiling: bf16 matrices",
        {"roofline": lambda: multiply_matrices(a, b)},
        items=billions,
        unit="GFLOP/s",
    )


def measure_memory_ceiling(device: str) -> ResultRow:
    source = torch.ones(COPY_BYTES[device], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    moved = 2 * COPY_BYTES[device] / 1e9  # read and written
    return measure_variants(
        "ceiling: memory", {"roofline": lambda: copy_memory(source, target)}, items=moved, unit="GB/s"
    )


def measure_batch_making(device: str) -> ResultRow:
    """Make batches without training; the baseline is the CPU loader on one core."""
    feed = BatchFeed(64, size=224 if device == "cuda" else 64, crops=None, device=device)
    return measure_variants("making batches", {"baseline": feed.loader_batch, "ours": feed.batch}, items=64)


def drop_unsupported(name: str, variants: dict[str, Callable[[], object]]) -> dict[str, Callable[[], object]]:
    """Drop and report variants that this GPU or version of torch does not support."""
    supported = {}
    for variant, work in variants.items():
        try:
            work()
            supported[variant] = work
        except Exception as error:
            if variant in ("baseline", "ours"):
                raise
            print(f"{name}: {variant} is not run: {type(error).__name__}: {str(error).splitlines()[0]}")
    return supported


def describe_ceiling_fractions(
    row: ResultRow, step: Callable[[], object], workload: Workload, ceilings: Sequence[ResultRow]
) -> str:
    """Return the cost per image, and the fraction of each ceiling that ours reaches."""
    with torch.compiler.set_stance("force_eager"):
        with FlopCounterMode(display=False) as counter:
            step()
        with MemoryTraffic() as traffic:
            step()
    billions = counter.get_total_flops() / workload.batch_size / 1e9
    # counted in float32; bf16 moves half of it
    gigabytes = traffic.bytes / 2 / workload.batch_size / 1e9
    of_matrices, of_memory = (
        row.values["ours"] * cost / ceiling.values["roofline"]
        for cost, ceiling in zip((billions, gigabytes), ceilings, strict=True)
    )
    return (
        f"{billions:.1f} GFLOP and {1000 * gigabytes:.0f} MB an image: ours reaches {of_matrices:.0%} of the "
        f"matrices' ceiling, {of_memory:.0%} of the memory's"
    )


if __name__ == "__main__":
    main()
