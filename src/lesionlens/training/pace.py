"""How many processes load batches: what measured times say; and how many threads compute: one a core."""

import math
from typing import NamedTuple

WORTH = 0.1  # share of a step that processes must save; below that they cost more than they bring
FEW_STEPS = 50  # a run of fewer is over before measuring pays


class Times(NamedTuple):
    """Seconds for one batch.

    Attributes
    ----------
    load
        To load it in this process, with all threads.
    load_alone
        To load it with one thread, as a process of its own does.
    step
        To compute a step of it.
    """

    load: float
    load_alone: float
    step: float


def choose_workers(times: Times, cores: int, *, on_cpu: bool) -> int:
    """Choose as few processes as hide the loading behind the steps; 0 where they would save less than a tenth.

    On a CPU loading and steps share the cores: processes hide nothing there, they only spare this process' lock.

    Examples
    --------
    A cheap loader on two cores, then the same before a fast card, then one that eight cores cannot hide:

    >>> choose_workers(Times(load=0.012, load_alone=0.02, step=0.5), 2, on_cpu=True)
    0
    >>> choose_workers(Times(load=0.012, load_alone=0.02, step=0.009), 8, on_cpu=False)
    3
    >>> choose_workers(Times(load=0.4, load_alone=2.0, step=0.009), 8, on_cpu=False)
    8
    """
    shared = times.load_alone / cores if on_cpu else 0.0
    seconds = {count: max(times.step + shared, times.load_alone / count) for count in range(1, cores + 1)}
    best = min(seconds.values())
    if times.step + times.load <= (1 + WORTH) * best:
        return 0
    return min(count for count, needed in seconds.items() if math.isclose(needed, best, rel_tol=0.02))
