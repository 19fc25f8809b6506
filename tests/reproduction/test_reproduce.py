"""Tests of reproductions on synthetic miniatures: planning, two processes, resuming after a kill, pages."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from lesionlens.cli import app
from lesionlens.core.errors import RunError
from lesionlens.reproduction.planner import ReproductionOptions
from lesionlens.reproduction.profiles import get_profile
from lesionlens.reproduction.reproduce import plan_reproduction
from lesionlens.reproduction.run_state import read_failure, write_failure
from lesionlens.runs.multi_run_dir import STATUS_FINISHED
from lesionlens.runs.run_dir import RunDir

COMMAND = [
    sys.executable,
    "-m",
    "lesionlens",
    "reproduce",
    "--profile",
    "smoke",
    "--device",
    "cpu",
    "--yes",
    "--out",
]
SAMPLE = (
    "arl/table5", "arl/fig7", "attnmel/table3.3", "attnmel/table3.4", "attnmel/fig3.3", "patch/table4", "patch/fig4",
    "soft/fig9", "open/prior-type", "open/artifact-bias-ink",
)  # fmt: skip


def reproduce(*arguments: str) -> str:
    outcome = CliRunner().invoke(app, ["reproduce", "--profile", "smoke", "--device", "cpu", *arguments])
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def states(out: Path) -> list[str]:
    return [RunDir(path).metadata()["status"] for path in sorted((out / "jobs").iterdir())]


@pytest.mark.slow
def test_row_from_data_to_page_and_nothing_is_repeated(tmp_path: Path) -> None:
    arguments = ["attnmel/table3.3", "--rows", "VGG-16-GAP CAM", "--out", str(tmp_path), "--yes"]
    assert "1 run left" in reproduce(*arguments)
    assert states(tmp_path) == [STATUS_FINISHED]
    page = tmp_path / "pages" / "attnmel-table3.3"
    results = json.loads((page / "results.json").read_text())
    assert (results["profile"], results["finished"], results["synthetic"]) == ("smoke", 1, True)
    for name in ("table.html", "table.md", "table.csv"):
        assert (page / name).is_file()
    before = (tmp_path / "jobs").stat().st_mtime_ns
    assert "0 runs left" in reproduce(*arguments)
    assert (tmp_path / "jobs").stat().st_mtime_ns == before


@pytest.mark.slow
def test_two_processes_on_one_table_and_one_is_killed(tmp_path: Path) -> None:
    arguments = [*COMMAND, str(tmp_path), "arl/table5"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL) as first:
        while not list((tmp_path / "jobs").glob("*/metadata.json")) and first.poll() is None:
            time.sleep(0.1)
        second = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
        assert second.returncode == 0, second.stderr
        first.wait()
    assert states(tmp_path) == [STATUS_FINISHED] * 6
    victim = next(iter(sorted((tmp_path / "jobs").iterdir())))
    weights = (victim / "model" / "model.safetensors").read_bytes()
    subprocess.run(["rm", "-r", str(victim)], check=True)
    with subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL) as killed:
        while not (victim / "metadata.json").is_file() and killed.poll() is None:
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert subprocess.run(arguments, env=environment, capture_output=True, check=False).returncode == 0
    assert states(tmp_path) == [STATUS_FINISHED] * 6
    assert (victim / "model" / "model.safetensors").read_bytes() == weights


@pytest.mark.slow
def test_failed_row_is_reported_and_others_continue(tmp_path: Path) -> None:
    arguments = ["arl/table6", "--out", str(tmp_path), "--yes", "--rows", "ResNet50*"]
    masks = tmp_path / "none"
    masks.mkdir(parents=True)
    outcome = CliRunner().invoke(
        app, ["reproduce", "--profile", "smoke", *arguments, f"data.mask_dir={masks}"]
    )
    assert outcome.exit_code == 1
    assert sum(status == STATUS_FINISHED for status in states(tmp_path)) == 2  # the rows without segmentation
    assert "failed:" in outcome.output
    failures = sorted((tmp_path / "failures").iterdir())
    assert len(failures) == 2
    page = (tmp_path / "pages" / "arl-table6" / "table.html").read_text()
    assert json.loads(failures[0].read_text())["message"].split(".")[0][:40] in page


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_of_tables_and_figures(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.getbasetemp() / "smoke"  # one folder: datasets and equal rows are reused
    reproduce(name, "--out", str(out), "--yes")
    results = json.loads((out / "pages" / name.replace("/", "-") / "results.json").read_text())
    assert results["failed"] == 0
    assert results["finished"] == results["runs"] > 0


@pytest.mark.slow
def test_plan_lists_runs_and_computes_nothing(tmp_path: Path) -> None:
    output = reproduce("patch/table4", "--out", str(tmp_path), "--dry-run", "--rows", "Dense121, Attention")
    assert "patch/table4" in output
    assert "1 run left" in output
    assert not (tmp_path / "jobs").exists()


@pytest.mark.slow
def test_slurm_script_retries_failures_once(tmp_path: Path) -> None:
    options = ReproductionOptions(get_profile("smoke"), tmp_path)
    failed = plan_reproduction(["patch/table4"], [], options, Console(quiet=True)).jobs()[0].key
    write_failure(tmp_path, failed, RunError("no memory"))
    arguments = [
        "reproduce",
        "patch/table4",
        "--profile",
        "smoke",
        "--out",
        str(tmp_path),
        "--write-slurm",
        "--max-tasks",
        "3",
        "--retry-failed",
    ]
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 0
    assert "3 runs left" in outcome.output
    assert not (tmp_path / "jobs").exists()
    text = (tmp_path / "slurm" / "reproduce.sbatch").read_text()
    assert "#SBATCH --array=0-2" in text
    assert f"reproduce --profile=smoke --out={tmp_path} --yes -- patch/table4\n" in text
    assert "--write-slurm" not in text
    assert "--retry-failed" not in text
    assert read_failure(tmp_path, failed) == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["patch/table22"], "did you mean 'patch/table2'"),
        (["patch/table2", "--dataset", "ham10000:/nowhere"], "/nowhere"),
        (["patch/table2", "--profile", "paper"], "pass --dataset ham10000:FOLDER"),
        (
            ["arl/table5", "--profile", "smoke", "--rows", "Mixed*", "--rows", "sigmiod"],
            "matches none of the rows",
        ),
    ],
)
def test_invalid_arguments_raise(arguments: list[str], message: str, tmp_path: Path) -> None:
    outcome = CliRunner().invoke(app, ["reproduce", *arguments, "--out", str(tmp_path), "--yes"])
    assert outcome.exit_code != 0
    assert message in str(outcome.exception) + outcome.output
