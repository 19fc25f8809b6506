"""The most memory that work needs: of a whole fresh process, Python and PyTorch included."""

import multiprocessing
import resource
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor

Prepare = Callable[[], Callable[[], object]]
NUM_TURNS = 2  # the first turn compiles; in the second its gradients and momentum are still held


def measure_peak_memory(workloads: Iterable[Prepare]) -> list[int]:
    """Prepare and do each work in a process of its own; return the bytes that each held at most."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "lesionlens.inference.predict", "lesionlens.core.runtime"])
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as fresh:
        return [fresh.submit(peak_memory_bytes, prepare).result() for prepare in workloads]


def peak_memory_bytes(prepare: Prepare) -> int:
    """Do the work; return the most bytes that this process ever held."""
    work = prepare()
    for _ in range(NUM_TURNS):
        work()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
