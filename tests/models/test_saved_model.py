"""Saving and loading models: round trips, and errors for damaged files."""

import json
from pathlib import Path

import pytest
import torch

from lesionlens.core.errors import ModelError, SavedModelError
from lesionlens.core.fileio import sha256_of_file
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import load_saved_model, save_model

from ..helpers.tolerances import close, terms_of

TINY = {"backbone": "test_resnet", "attention": "arl", "drop_rate": 0.1, "normalization": "sigmoid"}
MORE_SPECS = [
    {"backbone": "test_resnet", "attention": "arl", "taps": ("layer3",)},
    {"backbone": "test_resnet", "attention": "ran", "taps": ("layer2", "layer3")},
    {"backbone": "test_convnext", "attention": "gate", "taps": ("stages.0", "stages.2")},
    {
        "backbone": "test_efficientnet",
        "attention": "soft",
        "stage": "blocks.3",
        "mode": "authors",
        "flatten": 2,
    },
    {"backbone": "test_resnet", "attention": "patch+multi-stage", "taps": (), "crops": 5, "combine": "gru"},
]


def saved(
    folder: Path, name: str | None = None, options: dict[str, object] = TINY
) -> tuple[torch.nn.Module, ModelCard]:
    torch.manual_seed(5)
    spec = make_model_spec(name) if name else make_model_spec(**options)  # type: ignore[arg-type]
    model = build_network(spec, 3)
    card = ModelCard(
        name=name,
        architecture=spec,
        classes=("melanoma", "nevus", "benign_keratosis"),
        preprocessing=Preprocessing(input_size=(64, 80), crops="multi-scale", crop_count=9),
        training_data={"source": "nowhere", "task": "all"},
    )
    save_model(folder, model.to(memory_format=torch.channels_last), card)
    return model.eval(), card


@pytest.mark.parametrize(
    ("name", "options"), [("arl_cnn14", {}), (None, TINY), *((None, options) for options in MORE_SPECS)]
)
def test_round_trip(tmp_path: Path, name: str | None, options: dict[str, object]) -> None:
    model, card = saved(tmp_path / "model", name, options)
    loaded = load_saved_model(tmp_path)  # the directory of the run is accepted
    assert loaded.card.weights_sha256 == sha256_of_file(tmp_path / "model" / "model.safetensors")
    without_checksum = loaded.card.model_copy(update={"weights_sha256": ""})
    assert without_checksum.model_dump(mode="json") == card.model_dump(mode="json")
    x = torch.rand(2, 5, 3, 32, 32) if model.num_crops else torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = model(x).logits
        torch.testing.assert_close(loaded.model(x).logits, expected, **close(expected, terms_of(model)))


def test_card_states_intended_use(tmp_path: Path) -> None:
    saved(tmp_path)
    card = json.loads((tmp_path / "model_card.json").read_text())
    assert card["intended_use"] == "Research use only, not a medical device."
    assert card["classes"] == ["melanoma", "nevus", "benign_keratosis"]


def test_missing_model_error(tmp_path: Path) -> None:
    with pytest.raises(
        SavedModelError, match=r"expected a directory with model.safetensors and model_card.json"
    ):
        load_saved_model(tmp_path)


@pytest.mark.parametrize("device", ["gpu", "cuda:97"])
def test_unavailable_device_error(tmp_path: Path, device: str) -> None:
    saved(tmp_path)
    with pytest.raises(ModelError, match="Use auto or cpu"):
        load_saved_model(tmp_path, device=device)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"format": 2, "lesionlens": "0.9"},
            r"format 2 of a newer version \(LesionLens 0\.9\).*Update LesionLens",
        ),
        ({"format": "x"}, "format: "),
        ({"classes": []}, "classes: .*at least 1"),
        ({"classes": ["a", "a"]}, "contain a duplicate"),
        ({"classes": ["a", ""]}, r"classes\.1: "),
        (
            {"preprocessing": {"input_size": [0, 32]}},
            r"input_size\.0: .*greater than or equal to 1 \(got 0\)",
        ),
        ({"preprocessing": {"input_size": [10**9, 32]}}, "less than or equal to 8192"),
        ({"preprocessing": {"crop_count": 0}}, "crop_count: .*greater than or equal to 1"),
        ({"preprocessing": {"max_short_side": 0}}, "max_short_side: "),
        ({"preprocessing": {"std": [0, 1, 1]}}, r"std\.0: .*greater than 0"),
        ({"preprocessing": {"tta": "dihedral", "input_size": [32, 64]}}, "needs a square input"),
        ({"architecture": {"backbone": "test_resnet", "kwargs": {"checkpoint_path": "/w"}}}, "reads files"),
        ({"surprise": 1}, "surprise: Extra inputs"),
    ],
)
def test_unusable_card_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    saved(tmp_path)
    card = json.loads((tmp_path / "model_card.json").read_text())
    (tmp_path / "model_card.json").write_text(json.dumps(card | change))
    with pytest.raises(ModelError, match=message) as caught:
        load_saved_model(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("damage", ["card", "weights", "short", "bit", "empty", "other network"])
def test_damaged_files_raise(tmp_path: Path, damage: str) -> None:
    saved(tmp_path)
    weights, card = tmp_path / "model.safetensors", tmp_path / "model_card.json"
    if damage == "card":
        card.write_text(card.read_text().replace('"format": 1', '"format": "x"'))
    elif damage == "weights":
        weights.unlink()
    elif damage == "short":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif damage == "bit":
        content = bytearray(weights.read_bytes())
        content[-5] ^= 1
        weights.write_bytes(content)
    elif damage == "empty":
        weights.write_bytes(b"")
    else:
        card.write_text(card.read_text().replace('"test_resnet"', '"resnet18"'))
    with pytest.raises(SavedModelError):
        load_saved_model(tmp_path)


def test_what_was_passed_in_place_of_a_model_is_named(tmp_path: Path) -> None:
    saved(tmp_path / "runs" / "mine" / "model")
    for path, message in (
        (
            tmp_path / "runs" / "mine" / "model" / "model.safetensors",
            r"is a file; pass the directory that contains",
        ),
        (
            tmp_path / "runs" / "yours",
            r"there is no model .*yours: it is not a folder here\. Installed models: ",
        ),
        (tmp_path / "runs", r"no model in .*runs, but in its folders: mine\. Pass one of these"),
        (tmp_path, r"no model in .*: expected a directory with"),
    ):
        with pytest.raises(SavedModelError, match=message):
            load_saved_model(path)
