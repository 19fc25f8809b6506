"""How many cores this process may use: not those that the machine has."""

import os


def available_cpus() -> int:
    """Count the cores that affinity and the quota of a container leave to this process."""
    from joblib import cpu_count  # it knows affinity and both kinds of cgroups

    return int(cpu_count())


def default_num_threads() -> int:
    """Give how many threads should compute: one a core, or as many as OMP_NUM_THREADS allows.

    Examples
    --------
    >>> 1 <= compute_threads() <= cores()
    True
    """
    said = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(available_cpus(), int(said))) if said.isdigit() else available_cpus()
