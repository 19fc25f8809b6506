"""Slurm job array for a reproduction: each task executes runs that no other task has."""

import re
import shlex
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from lesionlens.core.errors import RunError, shorten_repr
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
#SBATCH --output={logs}{gpu}

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
        Command of each task, one word per item; the script quotes them.
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

    Raises
    ------
    RunError
        A folder or word cannot be in such a script (see `check_slurm_words`).
    """
    check_slurm_words(out, command, working_dir=working_dir)
    path, logs = out / "slurm" / "reproduce.sbatch", out / "slurm" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    text = SCRIPT.format(
        tasks=num_tasks,
        last=num_tasks - 1,
        logs=_quote_log_pattern(logs.absolute()),
        gpu="\n#SBATCH --gpus=1" if gpu else "",
        here=shlex.quote(str((working_dir or Path()).absolute())),
        command=shlex.join(command),
    )
    write_text(path, text)
    return path


def check_slurm_words(out: Path, command: Sequence[str], *, working_dir: Path | None = None) -> None:
    """Raise an error if a script of a job array cannot contain these folders and words.

    A line break would end a line of the script, and what follows it would be another option or command. A backslash in
    the folder of the logs makes Slurm ignore the numbers of job and task in their names.

    Raises
    ------
    RunError
        A word or folder contains a control character or bytes that are not UTF-8, or ``out`` a backslash.
    """
    for text in (str(out.absolute()), str((working_dir or Path()).absolute()), *command):
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            raise RunError(
                f"{shorten_repr(text)} cannot be in a Slurm script: it contains a line break, another control "
                "character, or bytes that are not UTF-8. Rename it, or omit --write-slurm"
            )
    if "\\" in str(out.absolute()):
        raise RunError(
            f"{out.absolute()} cannot be the folder of a Slurm script: Slurm does not number the log files in a "
            "folder whose name contains a backslash. Choose another --out"
        )


def _quote_log_pattern(logs: Path) -> str:
    r"""Return Slurm's pattern of the log files in a folder, quoted for an ``#SBATCH`` line.

    In such a line, as sbatch reads it, both kinds of quotes group characters, a backslash escapes one anywhere, and
    ``#`` starts a comment. In the pattern, ``%`` starts a placeholder, and ``%%`` is the character.

    Examples
    --------
    >>> print(_quote_log_pattern(Path('/data/5 % "new" #1')))
    "/data/5 %% \"new\" #1/%A_%a.log"
    """
    quoted = re.sub(r'(["\\])', r"\\\1", str(logs).replace("%", "%%"))
    return f'"{quoted}/%A_%a.log"'
