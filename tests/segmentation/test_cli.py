"""Commands ``lesionlens segment``: train two steps, predict, evaluate."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from lesionlens import cli
from lesionlens.segmentation.config import SegmentationConfig
from lesionlens.segmentation.evaluate import MeanMaskMetrics
from lesionlens.segmentation.train import train_segmentation

OPTIONS = "--encoder test_resnet --size 32 64 --epochs 2 --batch-size 12 --device cpu --out run"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LESIONLENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cli, "_format_warnings", lambda: None)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run a command and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["lesionlens", "segment", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return int(left.value.code or 0)


def test_train_predict_and_evaluate(
    here: Path, small_set: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Train two steps, predict masks of a folder, evaluate them: the same values as those of the run."""
    (here / "ham").symlink_to(small_set)
    assert run(monkeypatch, "train", "ham10000:ham", *OPTIONS.split()) == 0
    assert "Research use only, not a medical device." in capsys.readouterr().out
    record = json.loads((here / "run" / "metadata.json").read_text())
    assert record["status"] == "finished"
    assert sum(record["data"]["images"].values()) == 24
    log = pd.read_csv(here / "run" / "metrics.csv")
    assert list(log) == ["epoch", "step", "lr", "train_loss", "val_loss", "val_jaccard", "seconds"]
    assert list(log["epoch"]) == [1, 2]
    assert record["best"]["value"] == pytest.approx(log["val_jaccard"].max(), rel=1e-15)
    assert (here / "run" / "excluded.csv").read_text() == "image_id,split,reason\n"
    assert not list((here / "cache").iterdir())

    assert run(monkeypatch, "predict", "run", "ham/HAM10000_images", "-o", "masks") == 0
    masks = sorted((here / "masks").glob("*_segmentation.png"))
    assert len(masks) == 24
    with Image.open(masks[0]) as mask:
        assert (mask.size, mask.mode) == ((64, 48), "L")
    assert (
        run(monkeypatch, "evaluate", "masks", "ham10000:ham", "-o", "all.json", "--bootstrap-samples", "50")
        == 0
    )
    assert "Jaccard" in capsys.readouterr().out
    scores = pd.read_csv(here / "all.csv", index_col="image_id")
    for part in ("validation", "test"):
        own = pd.read_csv(here / "run" / "evaluation" / f"{part}.csv", index_col="image_id")
        pd.testing.assert_frame_equal(scores.loc[own.index], own)
        mean = MeanMaskMetrics.model_validate_json((here / "run" / "evaluation" / f"{part}.json").read_text())
        assert mean.jaccard.value == pytest.approx(own["jaccard"].mean())


@pytest.mark.slow
def test_same_seed_gives_the_same_weights(here: Path, small_set: Path) -> None:
    options = SegmentationConfig(
        encoder="test_resnet", input_size=(32, 64), epochs=1, batch_size=8, device="cpu"
    )
    for name in ("one", "two"):
        train_segmentation([f"ham10000:{small_set}"], options, out=here / name)
    weights = [(here / name / "model" / "model.safetensors").read_bytes() for name in ("one", "two")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "Pass tables with masks, or --resume"),
        (["train", "--resume", "run", "--epochs", "30"], "--resume uses the settings of the run"),
        (["train", "ham10000:ham", "--resume", "run"], "--resume uses the settings of the run"),
    ],
)
def test_usage_errors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(monkeypatch, *arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "ham10000:{set}", "--arch", "u-net"], "did you mean 'unet'"),
        (["train", "ham10000:nowhere"], "does not exist"),
        (["train", "--resume", "nowhere"], "nowhere is not the directory of a segmentation run"),
        (["predict", "nowhere", "x.jpg", "-o", "m"], "there is no model nowhere: it is not a folder here"),
        (["evaluate", "{set}/HAM10000_images", "ham10000:{set}", "--split", "test"], "in the split 'test'"),
        (["evaluate", "nowhere", "ham10000:{set}"], "there is no folder of masks nowhere"),
        (["evaluate", "{set}/HAM10000_images", "ham10000:{set}"], "no mask in"),
    ],
)
def test_error_is_one_readable_line(
    small_set: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert run(monkeypatch, *(part.format(set=small_set) for part in arguments)) == 1
    assert message in capsys.readouterr().err
