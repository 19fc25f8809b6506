"""Measurement of all benchmarks: variants in turn, in one run, compared round by round.

    python benchmarks/<what>.py [--rounds N] [--json FILE] [--full]

Absolute times drift with the load of the machine; ratios within a round hardly do.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import perf_counter

from machine import describe_machine, package_versions
from results_table import BenchmarkReport, ResultRow, make_row
from scaling_curves import ScalingCurve

from lesionlens.core.fileio import write_text

__all__ = [
    "ResultRow",
    "make_row",
    "measure_variants",
    "parse_options",
    "parser",
    "repeat",
    "report_results",
    "time_variants",
]

parser = argparse.ArgumentParser()
"""A script adds options of its own before it first calls `parse_options`."""
parser.add_argument("--rounds", type=int, default=6, help="how often each variant is timed")
parser.add_argument("--json", type=Path, help="write what was found here")
parser.add_argument("--full", action="store_true", help="larger networks and sizes as well")


@cache
def parse_options() -> argparse.Namespace:
    """Return the options of the command line: rounds, json, full."""
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; at least 1 is needed.")
    return options


def measure_variants(
    name: str,
    variants: Mapping[str, Callable[[], object]],
    *,
    items: float = 1,
    unit: str = "img/s",
    target: float | None = None,
    rounds: int | None = None,
    note: str = "",
    clock: Callable[[], float] = perf_counter,
) -> ResultRow:
    """Time each variant in turn: once to warm up, then `rounds` times.

    Parameters
    ----------
    variants
        "ours"; optionally "baseline", "roofline" (the minimum of work), and others by name. Each call does all
        the work: with an accelerator, it synchronizes.
    items
        Number of items (images, GFLOP, …) per call.
    unit
        "…/s": items per second; "s", "ms": time per item.
    target
        Required speedup over the baseline; without a baseline, required fraction of the roofline.
    rounds
        Default: --rounds, or 6, the minimum for an interval.
    """
    seconds = time_variants(variants, rounds=rounds or parse_options().rounds, clock=clock)
    return make_row(name, seconds, items=items, unit=unit, target=target, note=note)


def time_variants(
    variants: Mapping[str, Callable[[], object]], *, rounds: int, clock: Callable[[], float] = perf_counter
) -> dict[str, list[float]]:
    """Return the seconds of each variant, round by round; each round begins with another variant."""
    for work in variants.values():
        work()
    seconds: dict[str, list[float]] = {variant: [] for variant in variants}
    names = list(variants)
    for number in range(rounds):
        first = number % len(names)
        for variant in names[first:] + names[:first]:
            started = clock()
            variants[variant]()
            seconds[variant].append(clock() - started)
    return seconds


def repeat(work: Callable[[], object], times: int) -> None:
    """Repeat work that is too short to be timed once."""
    for _ in range(times):
        work()


def report_results(title: str, rows: Sequence[ResultRow], curves: Sequence[ScalingCurve] = ()) -> None:
    """Print the tables; with --json, write them with machine, date and versions."""
    report = BenchmarkReport(
        script=Path(sys.argv[0]).stem,
        title=title,
        date=datetime.now(UTC).isoformat(timespec="minutes"),
        machine=describe_machine(),
        versions=package_versions(),
        rows=tuple(rows),
        curves=tuple(curves),
    )
    print(f"{title}\n{report.machine}\n\n{report.to_markdown()}\n")
    if parse_options().json:
        write_text(parse_options().json, report.model_dump_json(indent=2) + "\n")
