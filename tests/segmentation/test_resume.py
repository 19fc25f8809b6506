"""An interrupted and resumed run ends with the same weights and results as an uninterrupted one, bit for bit."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch

from lesionlens.core.errors import RunError, RunInterrupted
from lesionlens.runs.run_dir import RunDir
from lesionlens.segmentation.config import SegmentationConfig
from lesionlens.segmentation.module import SegmentationModule
from lesionlens.segmentation.train import resume_segmentation, train_segmentation

TINY = {"encoder": "test_resnet", "input_size": (32, 64), "epochs": 3, "batch_size": 5, "device": "cpu"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LESIONLENS_CACHE", str(tmp_path / "cache"))


def interrupt_at_step(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C in a training step."""
    training_step = SegmentationModule.training_step

    def step(module: SegmentationModule, *batch: Any) -> torch.Tensor:
        if module.global_step == number:
            raise KeyboardInterrupt
        return training_step(module, *batch)

    monkeypatch.setattr(SegmentationModule, "training_step", step)


@pytest.mark.parametrize(
    ("arch", "num_workers"),
    [
        ("unet", 0),
        pytest.param("deeplabv3plus", 1, marks=pytest.mark.slow),  # dropout; a worker process samples ahead
    ],
)
def test_interrupted_run_resumes_exactly(
    small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arch: Any, num_workers: int
) -> None:
    config = SegmentationConfig(**TINY, arch=arch, num_workers=num_workers)
    sources = [f"ham10000:{small_set}"]
    complete = RunDir(train_segmentation(sources, config, out=tmp_path / "complete"))
    with monkeypatch.context() as patch:
        interrupt_at_step(4, patch)  # the second step of the second epoch
        with pytest.raises(RunInterrupted, match=r"lesionlens segment train --resume .*stopped"):
            train_segmentation(sources, config, out=tmp_path / "stopped")
    stopped = RunDir(tmp_path / "stopped")
    assert stopped.metadata()["status"] == "interrupted"
    assert len(pd.read_csv(stopped.metrics_csv)) == 1
    resume_segmentation(stopped.path)
    for name in (
        "model/model.safetensors",
        "model/model_card.json",
        "evaluation/test.csv",
        "evaluation/validation.json",
    ):
        assert (complete.path / name).read_bytes() == (stopped.path / name).read_bytes(), name
    logs = [pd.read_csv(run.metrics_csv).drop(columns="seconds") for run in (complete, stopped)]
    pd.testing.assert_frame_equal(*logs)
    states = [torch.load(run.checkpoint, weights_only=True)["state_dict"] for run in (complete, stopped)]
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    assert stopped.metadata()["best"] == complete.metadata()["best"]
    with pytest.raises(RunError, match="finished"):
        resume_segmentation(stopped.path)


@pytest.mark.slow
def test_time_of_a_killed_process_counts(
    small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The metadata of a killed process have no time yet, but its checkpoint has that of the complete epochs."""
    with monkeypatch.context() as patch:
        interrupt_at_step(4, patch)  # the second step of the second epoch
        hundreds = SimpleNamespace(monotonic=itertools.count(step=100).__next__)
        patch.setattr("lesionlens.training.callbacks.time", hundreds)
        with pytest.raises(RunInterrupted):
            train_segmentation([f"ham10000:{small_set}"], SegmentationConfig(**TINY), out=tmp_path / "run")
    run_dir = RunDir(tmp_path / "run")
    run_dir.update(status="running", seconds=0.0)
    resume_segmentation(run_dir.path)
    assert 100 <= run_dir.metadata()["seconds"] < 200


def test_changed_dataset_is_not_resumed(
    small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_at_step(0, monkeypatch)
    with pytest.raises(RunInterrupted):
        train_segmentation([f"ham10000:{small_set}"], SegmentationConfig(**TINY), out=tmp_path / "run")
    run_dir = RunDir(tmp_path / "run")
    run_dir.update(data={**run_dir.metadata()["data"], "fingerprints": ["0"]})
    with pytest.raises(RunError, match=r"dataset of .* has changed"):
        resume_segmentation(run_dir.path)


def test_other_directories_are_rejected(tmp_path: Path) -> None:
    RunDir(tmp_path / "classifier").update(status="interrupted")
    for path in (tmp_path, tmp_path / "classifier"):
        with pytest.raises(RunError, match="not the directory of a segmentation run"):
            resume_segmentation(path)
