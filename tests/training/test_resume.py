"""A killed and resumed run ends with the same weights and results as an uninterrupted one, bit for bit."""

import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from lesionlens.core.errors import RunError
from lesionlens.runs.run_dir import RunDir
from lesionlens.training.run import resume, train

from ..helpers.tiny_datasets import write_isic2017

KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from lesionlens.training import run
from lesionlens.training.module import ClassificationModule

training_step = ClassificationModule.training_step

def step(self, batch, batch_idx):
    if self.global_step == 6:  # the third step of the second epoch
        os.kill(os.getpid(), signal.SIGKILL)
    return training_step(self, batch, batch_idx)

ClassificationModule.training_step = step
run.train(sys.argv[1], sys.argv[3:], out=Path(sys.argv[2]))
"""


def train_and_kill(recipe: str, overrides: list[str], out: Path) -> RunDir:
    """Start a run in another process that is killed in its second epoch."""
    process = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, recipe, str(out), *overrides],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    return RunDir(out)


def assert_resumes_exactly(recipe: str, overrides: list[str], directory: Path) -> RunDir:
    """Train a run without interruption and a killed, resumed one; compare all files and return the latter."""
    complete = RunDir(train(recipe, overrides, out=directory / "complete"))
    killed = train_and_kill(recipe, overrides, directory / "killed")
    assert killed.metadata()["status"] == "running"
    assert len(pd.read_csv(killed.metrics_csv)) == 1
    resume(killed.path)
    assert killed.metadata()["status"] == "finished"
    expected = torch.load(complete.checkpoint, weights_only=True)
    resumed = torch.load(killed.checkpoint, weights_only=True)
    assert expected["global_step"] == resumed["global_step"]
    for key, value in expected["state_dict"].items():
        assert torch.equal(value, resumed["state_dict"][key]), key
    for name, value in load_file(complete.best_model / "model.safetensors").items():
        assert torch.equal(value, load_file(killed.best_model / "model.safetensors")[name]), name
    columns = pd.read_csv(complete.metrics_csv).columns.drop("seconds")
    pd.testing.assert_frame_equal(
        pd.read_csv(complete.metrics_csv)[columns], pd.read_csv(killed.metrics_csv)[columns]
    )
    assert complete.predictions("test").read_bytes() == killed.predictions("test").read_bytes()
    assert [complete.metadata()[key] for key in ("best", "stop_reason")] == [
        killed.metadata()[key] for key in ("best", "stop_reason")
    ]
    return killed


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [0, 1])  # a worker process samples ahead
def test_killed_run_resumes_exactly(
    recipe: str, base_overrides: list[str], tmp_path: Path, num_workers: int
) -> None:
    overrides = [
        *base_overrides,
        "train.epochs=4",
        "train.lr_scheduler.name=cosine",
        f"train.num_workers={num_workers}",
    ]
    killed = assert_resumes_exactly(recipe, overrides, tmp_path)
    with pytest.raises(RunError, match="finished"):
        resume(killed.path)


@pytest.mark.slow
def test_prior_repeats_and_early_stopping_resume_exactly(recipe: str, tmp_path: Path) -> None:
    root = write_isic2017(tmp_path / "isic2017", (16, 8, 8), size=(64, 48), masks=True)
    overrides = [
        f"data=isic2017:{root}", f"data.cache_dir={tmp_path / 'cache'}", "data.task=melanoma", "data.split=official",
        "model.backbone=test_resnet", "model.attention=gate", "model.input_size=64",
        "model.normalization=dataset", "attention_prior=lesion", "augment=attnmel", "train.loss=focal",
        "train.class_repeats={melanoma: 3}", "train.passes_per_epoch=1.5", "train.batch_size=8", "train.epochs=12",
        "train.monitor=val_accuracy", "train.early_stopping={monitor: val_loss, patience: 2, min_delta: 0.05}",
    ]  # fmt: skip
    killed = assert_resumes_exactly(recipe, overrides, tmp_path)
    assert killed.metadata()["stop_reason"] == "no better val_loss for 2 epochs"
