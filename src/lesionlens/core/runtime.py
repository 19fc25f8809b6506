"""CPU cores, compute threads and memory allocation of this process."""

import ctypes
import os
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from lesionlens.core.optional_packages import missing_packages


def available_cpus() -> int:
    """Return the number of CPU cores available to this process, given its affinity and container quota."""
    from joblib import cpu_count  # respects affinity and both cgroup versions

    return int(cpu_count())


def default_num_threads() -> int:
    """Return the number of compute threads: one per available core, at most ``OMP_NUM_THREADS`` if that is set.

    Examples
    --------
    >>> 1 <= default_num_threads() <= available_cpus()
    True
    """
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(available_cpus(), int(limit))) if limit.isdigit() else available_cpus()


def set_num_threads(num_threads: int | None) -> None:
    """Set the number of threads with which networks compute in this process from now on.

    Parameters
    ----------
    num_threads
        Number of threads; None: that of before (without torch: one per core or ``OMP_NUM_THREADS``), at most one per
        available core. Torch itself does not respect the CPU quota of a container.
    """
    number = num_threads or min(get_num_threads(), available_cpus())
    if missing_packages("torch"):
        os.environ["OMP_NUM_THREADS"] = str(number)
        return
    import torch

    torch.set_num_threads(number)


def get_num_threads() -> int:
    """Return the number of threads with which networks compute: that of torch, if it is installed."""
    if missing_packages("torch"):
        return default_num_threads()
    import torch

    return torch.get_num_threads()


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc


def retain_freed_memory() -> bool:
    """Make glibc's malloc reuse large blocks, and return whether that worked; other allocators do not need it.

    On two cores, a MobileNet-v2 training step took 20 to 40 % less time.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, 1 << 30) and mallopt(_M_TRIM_THRESHOLD, -1))


@cache
def _thread_pools() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def single_blas_thread() -> AbstractContextManager[object]:
    """Return a context in which NumPy's matrix products use one thread.

    After a product, the threads of OpenBLAS wait actively for the next one. Small products between the steps of a
    network would thus take the cores from it.
    """
    limited: AbstractContextManager[object] = _thread_pools().limit(limits=1, user_api="blas")
    return limited
