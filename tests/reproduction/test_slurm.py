"""Tests of the Slurm script: what a word contains neither runs nor changes anything."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.main import get_command
from typer.testing import CliRunner

from lesionlens.cli import app
from lesionlens.cli.reproduce import _task_command
from lesionlens.core.errors import RunError
from lesionlens.reproduction.slurm import write_slurm_array

HOSTILE = (
    "$(touch ran)", "`touch ran`", "; touch ran", "'; touch ran; '", '"; touch ran; "', "a b", "# touch", "%A %%", "~",
    "-o", "--yes", "--write-slurm", "*", "!", "😀 été", "\u2028touch ran", "&&", "{a,b}", "it's \"5 %\" #1",
)  # fmt: skip
REJECTED = ("\ntouch ran\n", "a\rb", "a\tb", "a\x1b[0mb", "a\x00b", "a\x85b", "a\udcffb")
words = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)
SETTINGS = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def run_script(script: Path) -> str:
    """Return the output of a script that bash finds valid."""
    subprocess.run(["bash", "-n", script], check=True)
    return subprocess.run(["bash", script], capture_output=True, check=True).stdout.decode()


def log_path(script: Path) -> str:
    """Return the log file of task 3 of job 12, as sbatch reads the script."""
    line = next(line for line in script.read_text().split("\n") if line.startswith("#SBATCH --output"))
    _, option = shlex.split(line.removeprefix("#"), comments=True)
    values = {"%%": "%", "%A": "12", "%a": "3"}
    return re.sub("%.", lambda match: values[match[0]], option.removeprefix("--output="))


@SETTINGS
@given(st.lists(words, max_size=5))
@example(list(HOSTILE))
def test_the_command_reaches_the_script_word_by_word(tmp_path: Path, arguments: list[str]) -> None:
    script = write_slurm_array(
        tmp_path, ["printf", r"%s\0", *arguments], num_tasks=4, gpu=True, working_dir=tmp_path
    )
    assert run_script(script) == "".join(f"{word}\0" for word in arguments or [""])
    assert not (tmp_path / "ran").exists()
    lines = script.read_text().split("\n")
    assert "#SBATCH --array=0-3" in lines
    assert "#SBATCH --gpus=1" in lines


@pytest.mark.parametrize("name", HOSTILE)
def test_folders_are_quoted_for_slurm_and_for_the_shell(name: str, tmp_path: Path) -> None:
    out, here = tmp_path / name / "out", tmp_path / "x" / name
    here.mkdir(parents=True)
    script = write_slurm_array(out, ["pwd"], num_tasks=1, gpu=False, working_dir=here)
    assert run_script(script) == f"{here}\n"
    assert log_path(script) == str(out / "slurm" / "logs" / "12_3.log")
    options = [line for line in script.read_text().split("\n") if line.startswith("#SBATCH")]
    assert len(options) == 7
    assert not (here / "ran").exists()


@pytest.mark.parametrize("text", REJECTED)
@pytest.mark.parametrize("place", ["out", "command", "working_dir"])
def test_text_that_could_end_a_line_raises(place: str, text: str, tmp_path: Path) -> None:
    values: dict[str, Any] = {"out": tmp_path, "command": ["true"], "working_dir": tmp_path}
    values[place] = ["true", text] if place == "command" else tmp_path / text
    with pytest.raises(RunError, match="cannot be in a Slurm script: it contains a line break, another"):
        write_slurm_array(**values, num_tasks=1, gpu=False)
    assert not (tmp_path / "slurm").exists()


def test_backslash_in_the_folder_of_the_logs_raises(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="Slurm does not number the log files"):
        write_slurm_array(tmp_path / "a\\b", ["true"], num_tasks=1, gpu=False)


def test_no_gpu_requested(tmp_path: Path) -> None:
    assert "gpus" not in write_slurm_array(tmp_path, ["true"], num_tasks=1, gpu=False).read_text()


def parse(arguments: list[str]) -> Any:
    command: Any = get_command(app)
    return command.commands["reproduce"].make_context("reproduce", list(arguments))


@SETTINGS
@given(st.lists(words), st.lists(words), words, st.lists(words.filter(lambda name: name), max_size=3))
@example(list(HOSTILE), list(HOSTILE), "--write-slurm", list(HOSTILE))
def test_tasks_have_the_options_of_the_command(
    rows: list[str], sources: list[str], out: str, names: list[str]
) -> None:
    given_options = ["--write-slurm", "-y", "--retry-failed", "--max-tasks", "3", "--repeats", "2"]
    given_options += [f"--rows={row}" for row in rows] + [f"--dataset={source}" for source in sources]
    context = parse([*given_options, "-o", out, "--", *names])
    command = _task_command(context)
    assert command[:4] == [sys.executable, "-m", "lesionlens", "reproduce"]
    without = {"write_slurm": False, "retry_failed": False, "max_tasks": 16}
    assert parse(command[4:]).params == context.params | without


def test_line_break_in_out_is_rejected_before_the_plan(tmp_path: Path) -> None:
    out = f"{tmp_path}/a\ntouch {tmp_path}/ran\n"
    outcome = CliRunner().invoke(
        app, ["reproduce", "arl/table5", "--write-slurm", "--profile=smoke", "-o", out]
    )
    assert isinstance(outcome.exception, RunError)
    assert "cannot be in a Slurm script" in str(outcome.exception)
    assert not list(tmp_path.iterdir())
