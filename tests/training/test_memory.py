"""Location of the training images: set by the recipe, recorded in the metadata, without effect on the results."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from lesionlens.core.errors import RunError
from lesionlens.data.gpu_datamodule import GpuDataModule
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import open_run_dir
from lesionlens.training import auto_values
from lesionlens.training.build import build
from lesionlens.training.resolve import resolve
from lesionlens.training.run import train
from lesionlens.training.setup import set_up_run


def test_auto_uses_device_memory_only_with_a_gpu(recipe: str, base_overrides: list[str]) -> None:
    auto = "device" if torch.cuda.is_available() else "host"
    for option, expected in [("auto", auto), ("host", "host"), ("device", "device")]:
        overrides = [*base_overrides, "train.epochs=1", f"data.images_on={option}"]
        components = build(set_up_run(resolve(load_recipe(recipe, overrides))))
        assert components.auto_values.to_metadata()["data.images_on"] == expected
        assert isinstance(components.datamodule, GpuDataModule) is (expected == "device")


def test_apple_gpu_is_rejected(
    recipe: str, base_overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_values, "resolve_training_device", lambda _: torch.device("mps"))
    overrides = [*base_overrides, "data.images_on=device", "train.precision=fp32", "train.epochs=1"]
    with pytest.raises(RunError, match=r"Apple's GPU does not support; set data\.images_on=host"):
        set_up_run(resolve(load_recipe(recipe, overrides)))


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", pytest.param("gpu", marks=pytest.mark.gpu)])
def test_loss_does_not_depend_on_the_memory(
    recipe: str, base_overrides: list[str], tmp_path: Path, device: str
) -> None:
    overrides = [*base_overrides, "train.epochs=1", f"train.device={device}"]
    losses = []
    for memory in ("host", "device"):
        run_dir = open_run_dir(train(recipe, [*overrides, f"data.images_on={memory}"], out=tmp_path / memory))
        assert run_dir.metadata()["auto_values"]["data.images_on"] == memory
        losses.append(float(pd.read_csv(run_dir.metrics_csv)["train_loss"].iloc[-1]))
    assert losses[0] == pytest.approx(losses[1], rel=0.01)
