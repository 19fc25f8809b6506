"""The same command as an array of jobs for Slurm: each takes the runs that no other has."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from lesionlens.core.fileio import write_text

SCRIPT = """\
#!/bin/bash
# Runs of a reproduction, spread over {tasks} tasks. Each takes what no other has claimed; a task that is killed or
# requeued goes on where it stopped. Partition, account and time are the cluster's: set them here or with sbatch.
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
        Folder of the reproduction, seen by every node.
    command
        What each task runs.
    num_tasks
        How many at most; not more than there are runs.
    gpu
        Ask for one GPU each.
    working_dir
        Folder in which the command is given; default: this one.

    Returns
    -------
    Path
        The script: ``sbatch`` takes it.
    """
    place, logs = out / "slurm" / "reproduce.sbatch", out / "slurm" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    text = SCRIPT.format(
        tasks=num_tasks,
        last=num_tasks - 1,
        logs=logs.absolute(),
        gpu="\n#SBATCH --gpus=1" if gpu else "",
        here=shlex.quote(str((working_dir or Path()).absolute())),
        command=shlex.join(command),
    )
    write_text(place, text)
    return place
