"""Where training images lie: said by the recipe, noted in the record, the same network in the end."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from lesionlens.data.resident import ResidentData
from lesionlens.errors import RunError
from lesionlens.training import ready
from lesionlens.training.chosen import choices
from lesionlens.training.folder import open_folder
from lesionlens.training.prepare import prepare
from lesionlens.training.read_recipe import read_recipe
from lesionlens.training.ready import make_data
from lesionlens.training.run import train


def test_images_leave_the_host_for_a_card_alone(recipe: str, words: list[str]) -> None:
    there = "device" if torch.cuda.is_available() else "host"
    for said, came in [("auto", there), ("host", "host"), ("device", "device")]:
        made = make_data(prepare(read_recipe(recipe, [*words, f"data.memory={said}"])))
        assert choices(made.prepared.recipe)["data.memory"] == came
        assert isinstance(made.data, ResidentData) is (came == "device")


def test_apples_gpu_is_refused(recipe: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "device_of", lambda _: torch.device("mps"))
    prepared = prepare(
        read_recipe(recipe, [*words, "data.memory=device", "train.precision=fp32", "train.epochs=1"])
    )
    with pytest.raises(RunError, match=r"Apple's GPU has not; give data\.memory=host"):
        make_data(prepared)


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", pytest.param("gpu", marks=pytest.mark.gpu)])
def test_a_run_learns_the_same_from_images_in_the_devices_memory(
    recipe: str, words: list[str], tmp_path: Path, device: str
) -> None:
    said = [*words, "train.epochs=1", f"train.device={device}"]
    losses = []
    for memory in ("host", "device"):
        folder = open_folder(train(recipe, [*said, f"data.memory={memory}"], out=tmp_path / memory))
        assert folder.record()["chosen"]["data.memory"] == memory
        losses.append(float(pd.read_csv(folder.log)["train_loss"].iloc[-1]))
    assert losses[0] == pytest.approx(losses[1], rel=0.01)
