"""How every benchmark measures: the ways in turn, in one run, compared round by round.

    python benchmarks/<what>.py [--rounds N] [--json FILE] [--long]

Absolute times drift with the machine's other work; ratios of neighbours hardly do.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import perf_counter

from curves import Curve
from machine import this_machine, versions
from rows import Report, Row, row

from lesionlens.core.fileio import write_text

__all__ = [
    "Row",
    "measure_variants",
    "parser",
    "report_results",
    "parse_options",
    "repeat",
    "row",
    "time_variants",
]

parser = argparse.ArgumentParser()
"""A script adds options of its own before it first calls `options`."""
parser.add_argument("--rounds", type=int, default=6, help="how often each way is timed")
parser.add_argument("--json", type=Path, help="write what was found here")
parser.add_argument("--long", action="store_true", help="larger networks and sizes as well")


@cache
def parse_options() -> argparse.Namespace:
    """Return what was said on the command line: rounds, json, long."""
    said = parser.parse_args()
    if said.rounds < 1:
        parser.error(f"--rounds is {said.rounds}; at least 1 is needed.")
    return said


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
) -> Row:
    """Time each way in turn: once to warm up, then `rounds` times.

    Parameters
    ----------
    variants
        "ours"; "naive" where there is such; "limit", the least that must be done; peers by name. Each call does
        the whole work: one that uses an accelerator waits for it.
    items
        How many (images, GFLOP, …) one call handles.
    unit
        "…/s": items a second; "s", "ms": the time of one item.
    target
        How many times faster than naive ours should be; without a naive way, the share of the limit.
    rounds
        Default: --rounds, else 6: enough for an interval.
    """
    seconds = time_variants(variants, rounds=rounds or parse_options().rounds, clock=clock)
    return row(name, seconds, items=items, unit=unit, demand=target, note=note)


def time_variants(
    variants: Mapping[str, Callable[[], object]], *, rounds: int, clock: Callable[[], float] = perf_counter
) -> dict[str, list[float]]:
    """Return the seconds of each way, round by round; each round begins with another way."""
    for work in variants.values():
        work()
    seconds: dict[str, list[float]] = {way: [] for way in variants}
    names = list(variants)
    for number in range(rounds):
        first = number % len(names)
        for way in names[first:] + names[:first]:
            started = clock()
            variants[way]()
            seconds[way].append(clock() - started)
    return seconds


def repeat(work: Callable[[], object], times: int) -> None:
    """Do so often what is too short to be timed once."""
    for _ in range(times):
        work()


def report_results(title: str, rows: Sequence[Row], curves: Sequence[Curve] = ()) -> None:
    """Print the tables, and write it with machine, date and versions where --json says."""
    report = Report(
        script=Path(sys.argv[0]).stem,
        title=title,
        date=datetime.now(UTC).isoformat(timespec="minutes"),
        machine=this_machine(),
        versions=versions(),
        rows=tuple(rows),
        curves=tuple(curves),
    )
    print(f"{title}\n{report.machine}\n\n{report.tables()}\n")
    if parse_options().json:
        write_text(parse_options().json, report.model_dump_json(indent=2) + "\n")
