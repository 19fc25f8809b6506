"""Slurm job array for a reproduction: each task executes runs that no other task has."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from lesionlens.core.fileio import write_text

SCRIPT = """\
#!/bin/bash
# Runs of a reproduction, distributed over {tasks} tasks. Each task executes runs that no other task has; a task that is
# killed or requeued resumes its run. Set partition, account and time for your cluster here or with sbatch.
#SBATCH --job-name=lesionlens
#SBATCH --array=0-{last}
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --output={logs}/%A_%a.log{gpu}

cd {here} || exit 1
exec {command}
"""


def write_slurm_array(
    out: Path, command: Sequence[str], *, num_tasks: int, gpu: bool, working_dir: Path | None = None
) -> Path:
    """Write the script of a job array.

    Parameters
    ----------
    out
        Folder of the reproduction, on a file system that every node can access.
    command
        Command of each task.
    num_tasks
        Number of tasks.
    gpu
        Whether each task requests a GPU.
    working_dir
        Working folder of the tasks; default: the current one.

    Returns
    -------
    Path
        The script, to be submitted with ``sbatch``.
    """
    path, logs = out / "slurm" / "reproduce.sbatch", out / "slurm" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    text = SCRIPT.format(
        tasks=num_tasks,
        last=num_tasks - 1,
        logs=logs.absolute(),
        gpu="\n#SBATCH --gpus=1" if gpu else "",
        here=shlex.quote(str((working_dir or Path()).absolute())),
        command=shlex.join(command),
    )
    write_text(path, text)
    return path
