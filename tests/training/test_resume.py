"""A run that is killed and resumed ends as the one that is left alone, bit for bit."""

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

DYING = """
import os, signal, sys
from pathlib import Path
from lesionlens.training import run, task

whole_step = task.Classification.training_step

def step(self, batch, number):
    if self.global_step == 6:  # the third step of the second epoch
        os.kill(os.getpid(), signal.SIGKILL)
    return whole_step(self, batch, number)

task.Classification.training_step = step
run.train(sys.argv[1], sys.argv[3:], out=Path(sys.argv[2]))
"""


def killed_in_mid_epoch(recipe: str, words: list[str], out: Path) -> RunDir:
    """Start a run in a process of its own that is killed amid its second epoch."""
    died = subprocess.run(
        [sys.executable, "-c", DYING, recipe, str(out), *words], capture_output=True, text=True, check=False
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    return RunDir(out)


def assert_as_if_left_alone(recipe: str, words: list[str], folder: Path) -> RunDir:
    """Train once undisturbed and once killed and resumed: what is left is the same; give the second."""
    alone = RunDir(train(recipe, words, out=folder / "alone"))
    killed = killed_in_mid_epoch(recipe, words, folder / "killed")
    assert killed.metadata()["status"] == "running"
    assert len(pd.read_csv(killed.metrics_csv)) == 1
    resume(killed.path)
    assert killed.metadata()["status"] == "finished"
    expected = torch.load(alone.checkpoint, weights_only=True)
    resumed = torch.load(killed.checkpoint, weights_only=True)
    assert expected["global_step"] == resumed["global_step"]
    for key, value in expected["state_dict"].items():
        assert torch.equal(value, resumed["state_dict"][key]), key
    for name, value in load_file(alone.best_model / "model.safetensors").items():
        assert torch.equal(value, load_file(killed.best_model / "model.safetensors")[name]), name
    columns = pd.read_csv(alone.metrics_csv).columns.drop("seconds")
    pd.testing.assert_frame_equal(
        pd.read_csv(alone.metrics_csv)[columns], pd.read_csv(killed.metrics_csv)[columns]
    )
    assert alone.predictions("test").read_bytes() == killed.predictions("test").read_bytes()
    assert [alone.metadata()[key] for key in ("best", "stop_reason")] == [
        killed.metadata()[key] for key in ("best", "stop_reason")
    ]
    return killed


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])  # a process draws ahead
def test_a_killed_run_resumes_bit_for_bit(
    recipe: str, words: list[str], tmp_path: Path, workers: int
) -> None:
    said = [*words, "train.epochs=4", "train.schedule=cosine", f"train.num_workers={workers}"]
    killed = assert_as_if_left_alone(recipe, said, tmp_path)
    with pytest.raises(RunError, match="finished"):
        resume(killed.path)


@pytest.mark.slow
def test_with_prior_copies_passes_and_two_measures_too(recipe: str, tmp_path: Path) -> None:
    root = write_isic2017(tmp_path / "isic2017", (16, 8, 8), size=(64, 48), masks=True)
    words = [
        f"data=isic2017:{root}", f"data.cache_dir={tmp_path / 'store'}", "data.task=melanoma", "data.split=official",
        "model.backbone=test_resnet", "model.attention=gate", "model.input_size=64",
        "model.normalization=dataset", "attention_prior=lesion", "augment=attnmel", "train.loss=focal",
        "train.class_repeats={melanoma: 3}", "train.passes_per_epoch=1.5", "train.batch_size=8", "train.epochs=12",
        "train.monitor=val_accuracy", "train.stop_on=val_loss", "train.patience=2", "train.min_delta=0.05",
    ]  # fmt: skip
    killed = assert_as_if_left_alone(recipe, words, tmp_path)
    assert killed.metadata()["stop_reason"] == "no better val_loss for 2 epochs"
