"""What a recipe leaves open is settled by its network, and a run says what starts fresh."""

from pathlib import Path

import pytest
import timm
import torch

from lesionlens.training.setup import resolve_model
from lesionlens.runs.load import load_recipe


@pytest.mark.parametrize(
    ("words", "size"),
    [
        (["model.name=soft_inception_resnet_v2"], (299, 299)),
        (["model.name=soft_resnet50"], (224, 224)),
        (["model.name=soft_inception_resnet_v2", "model.input_size=[160,192]"], (160, 192)),
        (["model.backbone=resnet18"], (224, 224)),
    ],
)
def test_the_input_size_is_that_of_the_network(words: list[str], size: tuple[int, int]) -> None:
    found = resolve_model(load_recipe("soft/ham10000", words))
    assert found.recipe.model.input_size == size


def test_the_multi_crop_baseline_trains_on_random_crops() -> None:
    crops = resolve_model(load_recipe("patch/multi-crop", ["model.name=patch_densenet121_multi16"])).recipe.crops
    assert (crops.train, crops.train_count, crops.test, crops.test_count) == ("random", 1, "ordered", 16)


def test_says_what_starts_fresh(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "w.pth")
    words = ["model.backbone=test_resnet", "model.attention=gate", f"model.weights={tmp_path / 'w.pth'}"]
    network = resolve_model(load_recipe("plain", [*words, "model.input_size=64"]))
    made = network.build(3)
    assert {key.split(".")[0] for key in made.uninitialized_keys} == {"gates", "head"}
    assert network.describe(made)["fresh"] == list(made.uninitialized_keys)
    assert f"{len(made.uninitialized_keys)} entries start fresh: gates.0" in network.startup_message(made)


def test_says_that_nothing_was_loaded() -> None:
    network = resolve_model(load_recipe("plain", ["model.backbone=test_resnet", "model.input_size=64"]))
    made = network.build(2)
    assert "no weights were loaded" in network.startup_message(made)
    assert network.describe(made)["fresh"] == "all"
