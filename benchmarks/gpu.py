"""Training and inference on a card: plain PyTorch against ours, and what share of the card's ceilings that is.

    python benchmarks/accelerator.py [--rounds N] [--json FILE] [--device cpu --tiny]

Numbers come only from a machine with a CUDA card; without one this says so and measures nothing. `--device cpu --tiny`
tries the code on toy networks: what it prints then says nothing about any network or card.

naive: float32, channels first, all else as PyTorch comes (TF32 in convolutions), its batch already on the card.
ours: bf16, channels last, each batch drawn, cut and changed from images that lie on the card.
compute: ours without making the batch. compiled: that by torch.compile. graph: that as one CUDA graph.

The ceilings are measured here: products of large bf16 matrices, copies in memory. The bytes of a step are those that
its operations read and write one after another, parameters and optimiser included; what is fused saves some of them.
"""

from collections.abc import Callable, Sequence

import torch
from accelerator_work import NETWORKS, TINY, Feed, Work, inference_ways, training_ways
from harness import Row, alternately, arguments, finish, options
from limits import copy, multiply, product
from torch.utils.flop_counter import FlopCounterMode
from traffic import Traffic

COPY_BYTES = {"cpu": 2**24, "cuda": 2**31}  # bytes


def main() -> None:
    arguments.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    arguments.add_argument("--tiny", action="store_true", help="toy networks, to try the code")
    device = options().device
    if device == "cuda" and not torch.cuda.is_available():
        print("accelerator.py: no CUDA card here; nothing was measured")
        return
    ceilings = [measure_matmul_ceiling(device), measure_memory_ceiling(device)]
    rows = [measure_batch_making(device)]
    for name, work in (TINY if options().tiny else NETWORKS).items():
        for kind, ways_of in (("training", training_ways), ("inference", inference_ways)):
            ways = drop_unsupported(f"{name}, {kind}", ways_of(work, device))
            measured = alternately(f"{name}, {kind}", ways, items=work.images)
            rows.append(
                measured.model_copy(
                    update={"note": describe_ceiling_fractions(measured, ways["naive"], work, ceilings)}
                )
            )
            torch.compiler.reset()
    finish("On an accelerator", [*ceilings, *rows])


def measure_matmul_ceiling(device: str) -> Row:
    a, b = product(torch.bfloat16, device)
    billions = 2 * a.shape[0] ** 3 / 1e9
    return alternately(
        "ceiling: bf16 matrices", {"limit": lambda: multiply(a, b)}, items=billions, unit="GFLOP/s"
    )


def measure_memory_ceiling(device: str) -> Row:
    source = torch.ones(COPY_BYTES[device], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    moved = 2 * COPY_BYTES[device] / 1e9  # read and written
    return alternately("ceiling: memory", {"limit": lambda: copy(source, target)}, items=moved, unit="GB/s")


def measure_batch_making(device: str) -> Row:
    """Make batches alone: naive is the loader's way, on one core."""
    feed = Feed(64, size=224 if device == "cuda" else 64, crops=None, device=device)
    return alternately("making batches", {"naive": feed.by_loader, "ours": feed.batch}, items=64)


def drop_unsupported(name: str, variants: dict[str, Callable[[], object]]) -> dict[str, Callable[[], object]]:
    """Leave out, and say so, what this card or version of torch cannot do beyond naive and ours."""
    kept = {}
    for way, work in variants.items():
        try:
            work()
            kept[way] = work
        except Exception as error:
            if way in ("naive", "ours"):
                raise
            print(f"{name}: {way} is left out: {type(error).__name__}: {str(error).splitlines()[0]}")
    return kept


def describe_ceiling_fractions(
    row: Row, step: Callable[[], object], workload: Work, ceilings: Sequence[Row]
) -> str:
    """Say what an image costs, and what share of each ceiling ours reaches."""
    with torch.compiler.set_stance("force_eager"):
        with FlopCounterMode(display=False) as counter:
            step()
        with Traffic() as traffic:
            step()
    billions = counter.get_total_flops() / workload.images / 1e9
    # plain float32 was counted; bf16 moves half of it
    gigabytes = traffic.bytes / 2 / workload.images / 1e9
    of_matrices, of_memory = (
        row.values["ours"] * cost / ceiling.values["limit"]
        for cost, ceiling in zip((billions, gigabytes), ceilings, strict=True)
    )
    return (
        f"{billions:.1f} GFLOP and {1000 * gigabytes:.0f} MB an image: ours reaches {of_matrices:.0%} of the "
        f"matrices' ceiling, {of_memory:.0%} of the memory's"
    )


if __name__ == "__main__":
    main()
