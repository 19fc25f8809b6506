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

from lesionlens.atomic import write_text

__all__ = ["Row", "alternately", "arguments", "finish", "options", "repeated", "row", "timed"]

arguments = argparse.ArgumentParser()
"""A script adds options of its own before it first calls `options`."""
arguments.add_argument("--rounds", type=int, default=6, help="how often each way is timed")
arguments.add_argument("--json", type=Path, help="write what was found here")
arguments.add_argument("--long", action="store_true", help="larger networks and sizes as well")


@cache
def options() -> argparse.Namespace:
    """Return what was said on the command line: rounds, json, long."""
    said = arguments.parse_args()
    if said.rounds < 1:
        arguments.error(f"--rounds is {said.rounds}; at least 1 is needed.")
    return said


def alternately(
    name: str,
    ways: Mapping[str, Callable[[], object]],
    *,
    items: float = 1,
    unit: str = "img/s",
    demand: float | None = None,
    rounds: int | None = None,
    note: str = "",
    clock: Callable[[], float] = perf_counter,
) -> Row:
    """Time each way in turn: once to warm up, then `rounds` times.

    Parameters
    ----------
    ways
        "ours"; "naive" where there is such; "limit", the least that must be done; peers by name. Each call does
        the whole work: one that uses an accelerator waits for it.
    items
        How many (images, GFLOP, …) one call handles.
    unit
        "…/s": items a second; "s", "ms": the time of one item.
    demand
        How many times faster than naive ours should be; without a naive way, the share of the limit.
    rounds
        Default: --rounds, else 6: enough for an interval.
    """
    seconds = timed(ways, rounds=rounds or options().rounds, clock=clock)
    return row(name, seconds, items=items, unit=unit, demand=demand, note=note)


def timed(
    ways: Mapping[str, Callable[[], object]], *, rounds: int, clock: Callable[[], float] = perf_counter
) -> dict[str, list[float]]:
    """Return the seconds of each way, round by round; each round begins with another way."""
    for work in ways.values():
        work()
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    names = list(ways)
    for number in range(rounds):
        first = number % len(names)
        for way in names[first:] + names[:first]:
            started = clock()
            ways[way]()
            seconds[way].append(clock() - started)
    return seconds


def repeated(work: Callable[[], object], times: int) -> None:
    """Do so often what is too short to be timed once."""
    for _ in range(times):
        work()


def finish(title: str, rows: Sequence[Row], curves: Sequence[Curve] = ()) -> None:
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
    if options().json:
        write_text(options().json, report.model_dump_json(indent=2) + "\n")
