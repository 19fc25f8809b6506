"""Peak memory of work in a new process, including Python and PyTorch."""

import multiprocessing
import resource
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor

Prepare = Callable[[], Callable[[], object]]
NUM_TURNS = (
    2  # the first turn compiles; in the second, gradients and momentum of the first are still in memory
)


def measure_peak_memory(workloads: Iterable[Prepare]) -> list[int]:
    """Prepare and do each work in its own process; return the peak bytes of each."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "lesionlens.inference.predict", "lesionlens.core.runtime"])
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as fresh:
        return [fresh.submit(peak_memory_bytes, prepare).result() for prepare in workloads]


def peak_memory_bytes(prepare: Prepare) -> int:
    """Do the work; return the peak bytes of this process."""
    work = prepare()
    for _ in range(NUM_TURNS):
        work()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
