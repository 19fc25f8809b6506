"""Signals stop training after the step, and variables of schedulers change nothing."""

import os
import signal
from pathlib import Path

import pytest
import torch

from lesionlens.core.errors import RunError, RunInterrupted
from lesionlens.runs.run_dir import RunDir
from lesionlens.training.module import ClassificationModule
from lesionlens.training.run import resume, train

SLURM = {
    "SLURM_NTASKS": "2", "SLURM_JOB_ID": "7", "SLURM_PROCID": "1", "SLURM_LOCALID": "1", "SLURM_NODEID": "0",
    "SLURM_JOB_NAME": "train", "RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "x",
}  # fmt: skip


@pytest.fixture
def send_signal(monkeypatch: pytest.MonkeyPatch) -> list[signal.Signals]:
    """Return a list; its signal is sent in the second step of the second epoch."""
    sent: list[signal.Signals] = []
    training_step = ClassificationModule.training_step

    def step(self: ClassificationModule, batch: object, batch_idx: int) -> torch.Tensor:
        if (self.current_epoch, batch_idx) == (1, 1) and sent:
            os.kill(os.getpid(), sent.pop())
        return training_step(self, batch, batch_idx)  # type: ignore[arg-type]

    monkeypatch.setattr(ClassificationModule, "training_step", step)
    return sent


@pytest.mark.usefixtures("without_evaluation")
@pytest.mark.parametrize(
    "name", ["SIGTERM", *(pytest.param(name, marks=pytest.mark.slow) for name in ("SIGUSR1", "SIGHUP"))]
)
def test_signal_stops_after_the_step(
    recipe: str,
    base_overrides: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    send_signal: list[signal.Signals],
    name: str,
) -> None:
    for variable, value in SLURM.items():
        monkeypatch.setenv(variable, value)
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)]
    send_signal.append(signal.Signals[name])
    overrides = [*base_overrides, "train.epochs=2"]
    with pytest.raises(
        RunInterrupted, match=rf"interrupted by {name}; .*Resume with: lesionlens train --resume"
    ):
        train(recipe, overrides, out=tmp_path / "run")
    run_dir = RunDir(tmp_path / "run")
    assert run_dir.metadata()["status"] == "interrupted"
    assert run_dir.metadata()["epochs_run"] == 1
    assert [path.name for path in run_dir.path.rglob("*.ckpt")] == ["last.ckpt"]
    assert [
        signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
    ] == handlers
    if name == "SIGUSR1":
        resume(run_dir.path)
        complete = RunDir(train(recipe, overrides, out=tmp_path / "complete"))
        weights = [(path.best_model / "model.safetensors").read_bytes() for path in (run_dir, complete)]
        assert weights[0] == weights[1]


@pytest.mark.usefixtures("without_evaluation")
def test_ignored_signal_stays_ignored(
    recipe: str, base_overrides: list[str], tmp_path: Path, send_signal: list[signal.Signals]
) -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        send_signal.append(signal.SIGHUP)
        run_dir = RunDir(train(recipe, [*base_overrides, "train.epochs=2"], out=tmp_path / "run"))
    finally:
        signal.signal(signal.SIGHUP, previous)
    assert run_dir.metadata()["epochs_run"] == 2


def test_diverged_training_is_named(recipe: str, base_overrides: list[str], tmp_path: Path) -> None:
    overrides = [
        *base_overrides,
        "train.epochs=1",
        "train.lr=1e30",
        "model.attention=none",
        "train.batch_size=1000",
    ]
    with pytest.raises(RunError, match=r"diverged in epoch 1|the loss became .*in epoch 1") as caught:
        train(recipe, overrides, out=tmp_path / "run")
    assert "lower train.lr" in str(caught.value)
