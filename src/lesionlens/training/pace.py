"""How many processes load batches: what measured times say; and how many threads compute: one a core."""

import math
from typing import NamedTuple

MIN_LOADER_SPEEDUP = 0.1  # share of a step that processes must save; below that they cost more than they bring
MIN_STEPS_TO_TUNE = 50  # a run of fewer is over before measuring pays


class StepTimings(NamedTuple):
    """Seconds for one batch.

    Attributes
    ----------
    load
        To load it in this process, with all threads.
    load_single_thread
        To load it with one thread, as a process of its own does.
    step
        To compute a step of it.
    """

    load: float
    load_single_thread: float
    step: float


def choose_workers(timings: StepTimings, num_cpus: int, *, on_cpu: bool) -> int:
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
    shared = timings.load_single_thread / num_cpus if on_cpu else 0.0
    seconds = {count: max(timings.step + shared, timings.load_single_thread / count) for count in range(1, num_cpus + 1)}
    best = min(seconds.values())
    if timings.step + timings.load <= (1 + MIN_LOADER_SPEEDUP) * best:
        return 0
    return min(count for count, needed in seconds.items() if math.isclose(needed, best, rel_tol=0.02))
