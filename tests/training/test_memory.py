"""Where training images lie: said by the recipe, noted in the record, the same network in the end."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from lesionlens.core.errors import RunError
from lesionlens.data.gpu_datamodule import GpuDataModule
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import open_run_dir
from lesionlens.training import build as ready
from lesionlens.training.build import auto_choices, build_datamodule
from lesionlens.training.run import train
from lesionlens.training.setup import set_up_run


def test_images_leave_the_host_for_a_card_alone(recipe: str, words: list[str]) -> None:
    there = "device" if torch.cuda.is_available() else "host"
    for said, came in [("auto", there), ("host", "host"), ("device", "device")]:
        made = build_datamodule(set_up_run(load_recipe(recipe, [*words, f"data.images_on={said}"])))
        assert auto_choices(made.setup.recipe)["data.images_on"] == came
        assert isinstance(made.datamodule, GpuDataModule) is (came == "device")


def test_apples_gpu_is_refused(recipe: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "resolve_training_device", lambda _: torch.device("mps"))
    prepared = set_up_run(
        load_recipe(recipe, [*words, "data.images_on=device", "train.precision=fp32", "train.epochs=1"])
    )
    with pytest.raises(RunError, match=r"Apple's GPU has not; give data\.images_on=host"):
        build_datamodule(prepared)


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", pytest.param("gpu", marks=pytest.mark.gpu)])
def test_a_run_learns_the_same_from_images_in_the_devices_memory(
    recipe: str, words: list[str], tmp_path: Path, device: str
) -> None:
    said = [*words, "train.epochs=1", f"train.device={device}"]
    losses = []
    for memory in ("host", "device"):
        folder = open_run_dir(train(recipe, [*said, f"data.images_on={memory}"], out=tmp_path / memory))
        assert folder.metadata()["auto_values"]["data.images_on"] == memory
        losses.append(float(pd.read_csv(folder.metrics_csv)["train_loss"].iloc[-1]))
    assert losses[0] == pytest.approx(losses[1], rel=0.01)
