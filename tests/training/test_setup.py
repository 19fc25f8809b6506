"""Resolved recipes: input size and crops of the model, and messages about initialized parameters."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch

from lesionlens.core.errors import LesionLensError
from lesionlens.inference.predict import predict
from lesionlens.models.saved_model import load_saved_model
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import RunDir
from lesionlens.training.build import build, build_model
from lesionlens.training.resolve import resolve
from lesionlens.training.run import train
from lesionlens.training.setup import set_up_run


@pytest.mark.parametrize(
    ("overrides", "size"),
    [
        (["model.name=soft_inception_resnet_v2"], (299, 299)),
        (["model.name=soft_resnet50"], (224, 224)),
        (["model.name=soft_inception_resnet_v2", "model.input_size=[160,192]"], (160, 192)),
        (["model.backbone=resnet18"], (224, 224)),
    ],
)
def test_input_size_is_that_of_the_model(overrides: list[str], size: tuple[int, int]) -> None:
    assert resolve(load_recipe("soft/ham10000", overrides)).recipe.model.input_size == size


def test_multi_crop_baseline_trains_on_random_crops() -> None:
    recipe = load_recipe("patch/multi-crop", ["model.name=patch_densenet121_multi16"])
    crops = resolve(recipe).recipe.crops
    assert (crops.train.strategy, crops.train.count) == ("random-square", 1)
    assert (crops.test.strategy, crops.test.count) == ("grid", 16)


def test_uninitialized_keys_are_returned(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "w.pth")
    overrides = ["model.backbone=test_resnet", "model.attention=gate", "model.input_size=64"]
    recipe = load_recipe("plain", [*overrides, f"model.weights={tmp_path / 'w.pth'}"])
    _, uninitialized_keys = build_model(resolve(recipe), 3)
    assert {key.split(".")[0] for key in uninitialized_keys} == {"gates", "head"}


def test_initialization_is_described(recipe: str, base_overrides: list[str], tmp_path: Path) -> None:
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "w.pth")
    short = [*base_overrides, "model.attention=gate", "model.kwargs={}", "train.epochs=1"]
    components = build(set_up_run(resolve(load_recipe(recipe, short))))
    assert components.initialization_message() == "random initialization: no weights were loaded"
    assert components.describe_model()["uninitialized_keys"] == "all"
    pretrained = [*short, f"model.weights={tmp_path / 'w.pth'}"]
    components = build(set_up_run(resolve(load_recipe(recipe, pretrained))))
    keys = components.uninitialized_keys
    assert f"{len(keys)} newly initialized entries: gates.0" in components.initialization_message()
    assert components.describe_model()["uninitialized_keys"] == list(keys)


def test_fixed_training_crops_and_the_seed_of_test_crops(recipe: str, base_overrides: list[str]) -> None:
    crops = ["crops.train={strategy: multi-scale, count: 2}", "train.seed=3"]
    for overrides, resample, seed in (
        ([], True, 3),
        (["crops.train.resample=false", "crops.seed=8"], False, 8),
    ):
        setup = set_up_run(resolve(load_recipe(recipe, [*base_overrides, *crops, *overrides])))
        assert setup.preprocessing.seed == seed
        ids = build(setup).datamodule.train_dataset.fixed_crop_ids
        assert ids == (None if resample else tuple(setup.split_table("train").frame["image_id"]))
    assert load_recipe("arl/cnn50").crops.train.resample is False


MODEL_OF_CROPS = [
    "model.attention=patch+arl",
    "model.kwargs={crops: 5, initial: true, end: true}",
    "model.input_size=32",
    "model.normalization=unit",
    "crops.train.strategy=full",
    "train.batch_size=32",
    "train.epochs=1",
]


def test_model_sets_its_crops(recipe: str, base_overrides: list[str]) -> None:
    setup = set_up_run(resolve(load_recipe(recipe, [*base_overrides, *MODEL_OF_CROPS])))
    assert (setup.preprocessing.crops, setup.preprocessing.crop_count) == ("grid", 5)
    assert setup.recipe.crops.train.count == 5
    components = build(setup)
    assert components.module.model.num_crops == 5
    assert components.describe_model()["name"] == "test_resnet + patch+arl"
    datamodule = components.datamodule
    assert len(datamodule.sampler) == len(datamodule.train_dataset.split_data)  # one sample per image
    assert next(iter(datamodule.train_dataloader())).crops.shape == (32, 5, 32, 32, 3)


@pytest.mark.parametrize(
    ("conflicting", "message"),
    [
        (
            ["crops.train.strategy=random-square"],
            r"takes 5 grid crops .* sets crops\.train\.strategy=random-square",
        ),
        (["model.normalization=imagenet"], r"brightness of each crop.*model\.normalization=unit"),
        (["model.kwargs={crops: nine}"], "crops='nine' is not allowed. Set the number"),
        (["model.kwargs={crops: 8}"], "no grid of 8 crops; allowed: 5, 7"),
    ],
)
def test_conflicting_crops_are_rejected(
    recipe: str, base_overrides: list[str], conflicting: list[str], message: str
) -> None:
    loaded = load_recipe(recipe, [*base_overrides, *MODEL_OF_CROPS, *conflicting])
    with pytest.raises(LesionLensError, match=message):
        resolve(loaded)


def test_model_of_crops_trains_and_predicts(
    recipe: str, base_overrides: list[str], small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lesionlens.training.run.evaluate_run", lambda *_, **__: None)
    run_dir = RunDir(train(recipe, [*base_overrides, *MODEL_OF_CROPS], out=tmp_path / "run"))
    metrics = pd.read_csv(run_dir.metrics_csv)
    assert metrics["step"].tolist() == [run_dir.metadata()["data"]["splits"]["train"]["images"] // 32]
    assert [name for name in metrics if "alpha" in name] == [f"alpha/layer{i}.0" for i in (1, 2, 3, 4)]
    image = sorted(small_set.rglob("*.jpg"))[0]
    scores = predict(run_dir.path, [image]).predictions.scores
    loaded = load_saved_model(run_dir.path)
    preprocessing = loaded.card.preprocessing
    with torch.no_grad():
        logits = loaded.model(preprocessing.prepare_input(preprocessing.load_image(image))[None]).logits
    np.testing.assert_allclose(scores, logits.softmax(dim=1).numpy(), atol=1e-5)
