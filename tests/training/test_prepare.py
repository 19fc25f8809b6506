"""A network that takes all crops of an image, from recipe to prediction."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from lesionlens.core.errors import LesionLensError
from lesionlens.models.saved_model import load_model
from lesionlens.inference.predict import predict
from lesionlens.runs.run_dir import RunDir
from lesionlens.training.setup import set_up_run
from lesionlens.runs.load import load_recipe
from lesionlens.training.build import build_datamodule
from lesionlens.training.run import train

BAG = [
    "model.attention=patch+arl",
    "model.options={crops: 5, initial: true, end: true}",
    "model.input_size=32",
    "model.normalisation=none",
    "crops.train=whole",
    "train.batch_size=32",
    "train.epochs=1",
]


def test_the_network_brings_its_crops(recipe: str, words: list[str]) -> None:
    prepared = set_up_run(load_recipe(recipe, [*words, *BAG]))
    seen = prepared.preprocessing
    assert (seen.crops, seen.crop_count) == ("ordered", 5)
    assert prepared.recipe.crops.train_count == 5
    made = prepared.resolved_model.build(7)
    assert made.model.num_crops == 5
    assert prepared.resolved_model.describe(made)["name"] == "test_resnet + patch+arl"
    data = build_datamodule(prepared).datamodule
    assert len(data.sampler) == len(data.train_dataset.split_data)  # one visit an image
    assert next(iter(data.train_dataloader())).views.shape == (32, 5, 32, 32, 3)


@pytest.mark.parametrize(
    ("words_against", "message"),
    [
        (["crops.train=random"], r"takes 5 ordered crops .* says crops\.train=random"),
        (["model.normalisation=imagenet"], r"how bright each crop is.*model\.normalisation=none"),
        (["model.options={crops: nine}"], "crops='nine': give the number"),
        (["model.options={crops: 8}"], "no 8 ordered crops; allowed numbers: 5, 7"),
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
    assert log["step"].tolist() == [folder.metadata()["data"]["parts"]["train"]["images"] // 32]
    assert [name for name in log if "alpha" in name] == [f"alpha/layer{stage}.0" for stage in (1, 2, 3, 4)]
    image = sorted(small_set.rglob("*.jpg"))[0]
    scores = predict(folder.path, [image]).predictions.scores
    loaded = load_model(folder.path)
    seen = loaded.card.preprocessing
    with torch.no_grad():
        logits = loaded.model(seen.prepare_input(seen.load_image(image))[None]).logits
    np.testing.assert_allclose(scores, logits.softmax(dim=1).numpy(), atol=1e-5)
