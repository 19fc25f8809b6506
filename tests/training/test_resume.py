"""A run that is killed and resumed ends as the one that is left alone, bit for bit."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from lesionlens.errors import RunError
from lesionlens.training.folder import RunFolder
from lesionlens.training.run import resume, train


def killed_in_mid_epoch(recipe: str, words: list[str], out: Path) -> RunFolder:
    """Start a run in a process of its own; kill it when the first epoch is written and the second has begun."""
    folder = RunFolder(out)
    command = [sys.executable, "-m", "lesionlens", "train", recipe, *words, "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not folder.checkpoint.is_file() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    return folder


def test_a_killed_run_resumes_bit_for_bit(recipe: str, words: list[str], tmp_path: Path) -> None:
    words = [*words, "train.epochs=4"]
    alone = RunFolder(train(recipe, words, out=tmp_path / "alone"))
    killed = killed_in_mid_epoch(recipe, words, tmp_path / "killed")
    assert killed.record()["status"] == "running"
    assert 1 <= len(pd.read_csv(killed.log)) < 4
    resume(killed.path)
    assert killed.record()["status"] == "finished"
    expected = torch.load(alone.checkpoint, weights_only=True)
    resumed = torch.load(killed.checkpoint, weights_only=True)
    assert expected["global_step"] == resumed["global_step"]
    for key, value in expected["state_dict"].items():
        assert torch.equal(value, resumed["state_dict"][key]), key
    for name, value in load_file(alone.best / "model.safetensors").items():
        assert torch.equal(value, load_file(killed.best / "model.safetensors")[name]), name
    columns = pd.read_csv(alone.log).columns.drop("seconds")
    pd.testing.assert_frame_equal(pd.read_csv(alone.log)[columns], pd.read_csv(killed.log)[columns])
    assert alone.predictions("test").read_bytes() == killed.predictions("test").read_bytes()
    with pytest.raises(RunError, match="finished"):
        resume(killed.path)
