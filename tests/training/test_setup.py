"""What a recipe leaves open is settled by its network, and a run says what starts fresh."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch

from lesionlens.core.errors import LesionLensError
from lesionlens.inference.predict import predict
from lesionlens.models.saved_model import load_model
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import RunDir
from lesionlens.training.build import build_datamodule
from lesionlens.training.run import train
from lesionlens.training.setup import resolve_model, set_up_run


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
    crops = resolve_model(
        load_recipe("patch/multi-crop", ["model.name=patch_densenet121_multi16"])
    ).recipe.crops
    assert (crops.train, crops.train_count, crops.test, crops.test_count) == ("random-square", 1, "grid", 16)


def test_says_what_starts_fresh(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "w.pth")
    words = ["model.backbone=test_resnet", "model.attention=gate", f"model.weights={tmp_path / 'w.pth'}"]
    network = resolve_model(load_recipe("plain", [*words, "model.input_size=64"]))
    made = network.build(3)
    assert {key.split(".")[0] for key in made.uninitialized_keys} == {"gates", "head"}
    assert network.describe(made)["uninitialized_keys"] == list(made.uninitialized_keys)
    assert f"{len(made.uninitialized_keys)} entries start fresh: gates.0" in network.startup_message(made)


def test_says_that_nothing_was_loaded() -> None:
    network = resolve_model(load_recipe("plain", ["model.backbone=test_resnet", "model.input_size=64"]))
    made = network.build(2)
    assert "no weights were loaded" in network.startup_message(made)
    assert network.describe(made)["uninitialized_keys"] == "all"


BAG = [
    "model.attention=patch+arl",
    "model.kwargs={crops: 5, initial: true, end: true}",
    "model.input_size=32",
    "model.normalization=unit",
    "crops.train=full",
    "train.batch_size=32",
    "train.epochs=1",
]


def test_the_network_brings_its_crops(recipe: str, words: list[str]) -> None:
    prepared = set_up_run(load_recipe(recipe, [*words, *BAG]))
    seen = prepared.preprocessing
    assert (seen.crops, seen.crop_count) == ("grid", 5)
    assert prepared.recipe.crops.train_count == 5
    made = prepared.resolved_model.build(7)
    assert made.model.num_crops == 5
    assert prepared.resolved_model.describe(made)["name"] == "test_resnet + patch+arl"
    data = build_datamodule(prepared).datamodule
    assert len(data.sampler) == len(data.train_dataset.split_data)  # one visit an image
    assert next(iter(data.train_dataloader())).crops.shape == (32, 5, 32, 32, 3)


@pytest.mark.parametrize(
    ("words_against", "message"),
    [
        (["crops.train=random-square"], r"takes 5 grid crops .* says crops\.train=random-square"),
        (["model.normalization=imagenet"], r"how bright each crop is.*model\.normalization=unit"),
        (["model.kwargs={crops: nine}"], "crops='nine': give the number"),
        (["model.kwargs={crops: 8}"], "no grid of 8 crops; allowed: 5, 7"),
    ],
)
def test_other_crops_are_refused_before_data_are_read(
    recipe: str, words: list[str], words_against: list[str], message: str
) -> None:
    asked = load_recipe(recipe, [*words, *BAG, "data=ham10000:/nowhere", *words_against])
    with pytest.raises(LesionLensError, match=message):
        set_up_run(asked)


def test_a_network_of_crops_is_trained_and_used(
    recipe: str, words: list[str], small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lesionlens.training.run.evaluate_run", lambda *_, **__: None)
    folder = RunDir(train(recipe, [*words, *BAG], out=tmp_path / "run"))
    log = pd.read_csv(folder.metrics_csv)
    assert log["step"].tolist() == [folder.metadata()["data"]["splits"]["train"]["images"] // 32]
    assert [name for name in log if "alpha" in name] == [f"alpha/layer{stage}.0" for stage in (1, 2, 3, 4)]
    image = sorted(small_set.rglob("*.jpg"))[0]
    scores = predict(folder.path, [image]).predictions.scores
    loaded = load_model(folder.path)
    seen = loaded.card.preprocessing
    with torch.no_grad():
        logits = loaded.model(seen.prepare_input(seen.load_image(image))[None]).logits
    np.testing.assert_allclose(scores, logits.softmax(dim=1).numpy(), atol=1e-5)
