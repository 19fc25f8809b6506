"""Runs are executed once, resumed, and repeated after a failure only on request."""

from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from rich.console import Console

from lesionlens.core.errors import DataError, RunInterrupted
from lesionlens.reproduction import runner as module
from lesionlens.reproduction.jobs import Job, expand_jobs
from lesionlens.reproduction.run_state import clear_failure, read_failure, write_failure
from lesionlens.reproduction.runner import run_jobs
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import RunDir, write_recipe
from lesionlens.runs.schema import Recipe

QUIET = Console(quiet=True)


@pytest.fixture
def planned(tmp_path: Path) -> list[Job]:
    return expand_jobs(load_recipe("arl/cnn14", ["num_repeats=3"]), tmp_path)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace training by a function that only creates the folder, and return the list of calls."""
    calls: list[str] = []

    def train(recipe: Recipe, *, out: Path, console: Console) -> Path:
        calls.append(f"train {recipe.train.seed}")
        out.mkdir(parents=True)
        write_recipe(RunDir(out), recipe)
        RunDir(out).update(status="finished")
        return out

    def resume(path: Path, *, console: Console) -> Path:
        calls.append(f"resume {path.name[:-9]}")
        RunDir(path).update(status="finished")
        return path

    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(module, "resume", resume)
    return calls


def test_each_run_once(planned: list[Job], calls: list[str], tmp_path: Path) -> None:
    assert run_jobs(planned, tmp_path, console=QUIET).done == tuple(job.key for job in planned)
    assert calls == ["train 0", "train 1", "train 2"]
    owner = tmp_path / "locks" / f"{planned[0].key}.txt"
    owner.write_text("host 1\n")  # left by a process killed at the end of its run
    assert run_jobs(planned, tmp_path, console=QUIET) == ((), ())
    assert len(calls) == 3
    assert not owner.exists()


def test_killed_run_resumes_or_restarts(planned: list[Job], calls: list[str], tmp_path: Path) -> None:
    begun, empty = (job.run_dir(tmp_path) for job in planned[:2])
    begun.path.mkdir(parents=True)
    write_recipe(begun, planned[0].recipe)
    begun.update(status="running")
    moved = load_recipe("arl/cnn14", ["data=isic2017:/elsewhere", "train.device=cpu"])
    planned[0] = Job(planned[0].key, moved, 0, None)
    (empty.path / "checkpoints").mkdir(parents=True)
    run_jobs(planned, tmp_path, console=QUIET)
    assert calls == ["resume arl_cnn14-melanoma-s0", "train 1", "train 2"]
    assert load_recipe(str(begun.recipe)) == moved  # resumed with the new data and device


def test_resumed_run_keeps_absolute_paths(
    planned: list[Job], calls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed run has the recipe of an uninterrupted one, which can be used from any working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    relative = load_recipe("arl/cnn14", ["data=isic2017:data"])
    begun = planned[0].run_dir(tmp_path)
    begun.path.mkdir(parents=True)
    write_recipe(begun, relative)
    begun.update(status="running")
    run_jobs([Job(planned[0].key, relative, 0, None)], tmp_path, console=QUIET)
    assert calls == ["resume arl_cnn14-melanoma-s0"]
    assert load_recipe(str(begun.recipe)).data.source == f"isic2017:{tmp_path}/data"


def test_failure_is_recorded_and_repeated_only_on_request(
    planned: list[Job], calls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Any = module.train
    broken = True

    def train(recipe: Recipe, *, out: Path, console: Console) -> Path:
        if recipe.train.seed == 1 and broken:
            raise DataError("no masks")
        made: Path = original(recipe, out=out, console=console)
        return made

    monkeypatch.setattr(module, "train", train)
    summary = run_jobs(planned, tmp_path, console=QUIET)
    assert summary.failed == (planned[1].key,)
    assert len(summary.done) == 2
    assert read_failure(tmp_path, planned[1].key) == "no masks"
    assert "Traceback" in (tmp_path / "failures" / f"{planned[1].key}.json").read_text()
    assert run_jobs(planned, tmp_path, console=QUIET).failed == (planned[1].key,)
    assert calls == ["train 0", "train 2"]
    broken = False
    clear_failure(tmp_path, planned[1].key)
    assert run_jobs(planned, tmp_path, console=QUIET).done == (planned[1].key,)
    assert read_failure(tmp_path, planned[1].key) == ""


@pytest.mark.parametrize("left", ["unfinished", "finished", "failed"])
def test_waits_for_other_processes(
    planned: list[Job], calls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    (tmp_path / "locks").mkdir()
    lock = FileLock(tmp_path / "locks" / f"{planned[0].key}.lock")
    lock.acquire()
    original: Any = module.train

    def train(recipe: Recipe, *, out: Path, console: Console) -> Path:
        made: Path = original(recipe, out=out, console=console)
        if recipe.train.seed == 2:  # the last unlocked run: now the other process ends
            if left == "finished":
                original(planned[0].recipe, out=planned[0].run_dir(tmp_path).path, console=console)
            if left == "failed":
                write_failure(tmp_path, planned[0].key, DataError("no masks"))
            lock.release()
        return made

    monkeypatch.setattr(module, "train", train)
    summary = run_jobs(planned, tmp_path, console=QUIET)
    first, *rest = (job.key for job in planned)
    assert summary.done == ((*rest, first) if left == "unfinished" else tuple(rest))
    assert summary.failed == ((first,) if left == "failed" else ())
    assert calls == ["train 1", "train 2", *(["train 0"] if left != "failed" else [])]


def test_interrupt_ends_the_run_without_failure(
    planned: list[Job], calls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(recipe: Recipe, *, out: Path, console: Console) -> Path:
        raise RunInterrupted("stopped")

    monkeypatch.setattr(module, "train", train)
    with pytest.raises(RunInterrupted, match="Run the same command again"):
        run_jobs(planned, tmp_path, console=QUIET)
    assert read_failure(tmp_path, planned[0].key) == ""
