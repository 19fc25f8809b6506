"""Commands ``calibrate`` and ``predict`` of a calibrated model, and ``calibrate`` of prediction files."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lesionlens.cli import main
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import save_model

Run = Callable[..., int]
NUM_IMAGES = 24


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command in a folder with a model and labeled images."""
    monkeypatch.chdir(tmp_path)
    save_small_model(seed=0)
    rng = np.random.default_rng(0)
    Path("images").mkdir()
    rows = ["image,lesion_id,label"]
    for number in range(NUM_IMAGES):
        color = rng.integers(60, 200, 3) + (number % 2) * 40
        pixels = np.clip(color + rng.normal(0, 20, (32, 32, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(f"images/{number:02d}.png")
        rows.append(f"{number:02d}.png,l{number},{('melanoma', 'nevus')[number % 2]}")
    Path("images/table.csv").write_text("\n".join(rows))

    def command(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["lesionlens", *arguments])
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    return command


def save_small_model(*, seed: int) -> None:
    torch.manual_seed(seed)
    spec = make_model_spec(backbone="test_resnet")
    card = ModelCard(
        architecture=spec, classes=("melanoma", "nevus"), preprocessing=Preprocessing(input_size=(32, 32))
    )
    save_model(Path("model"), build_network(spec, 2), card)


def test_predict_adds_the_columns_of_a_calibrated_model(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predict", "model", "images/table.csv", "-o", "before.csv") == 0
    assert run("calibrate", "model", "--images", "images/table.csv") == 0
    printed = capsys.readouterr().out
    assert "24 images of 24 lesions" in printed
    assert "not a medical device" in printed
    assert run("predict", "model", "images/table.csv", "-o", "after.csv") == 0
    assert run("predict", "model", "images/table.csv", "-o", "without.csv", "--no-calibration") == 0
    before, after = (
        list(csv.reader(Path(name).read_text().splitlines())) for name in ("before.csv", "after.csv")
    )
    assert Path("without.csv").read_bytes() == Path("before.csv").read_bytes()
    assert [row[: len(before[0])] for row in after] == before
    assert after[0][len(before[0]) :] == [
        "calibrated_melanoma",
        "calibrated_nevus",
        "prediction_set",
        "abstain",
        "ood_percentile",
    ]
    predictions = read_predictions("after.csv")
    assert predictions.prediction_sets is not None
    covered = predictions.prediction_sets[np.arange(NUM_IMAGES), predictions.targets()]
    assert covered.mean() >= 0.9


def test_calibration_of_other_weights_is_rejected(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate", "model", "--images", "images/table.csv") == 0
    save_small_model(seed=1)
    assert run("predict", "model", "images", "-o", "p.csv") == 1
    assert "measured with other weights" in capsys.readouterr().err
    assert run("predict", "model", "images", "-o", "p.csv", "--no-calibration") == 0


def test_unusual_image_has_a_high_percentile(run: Run) -> None:
    assert run("calibrate", "model", "--images", "images/table.csv") == 0
    Image.new("RGB", (32, 32), (0, 0, 255)).save("odd.png")
    assert run("predict", "model", "odd.png", "images/00.png", "-o", "p.csv") == 0
    predictions = read_predictions("p.csv")
    assert predictions.ood_percentile is not None
    assert predictions.abstain is not None
    assert predictions.ood_percentile[0] == 100
    assert predictions.abstain[0]


def test_predictions_are_calibrated_by_other_predictions(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("predict", "model", "images/table.csv", "-o", "p.csv") == 0
    assert run("calibrate", "p.csv", "-o", "numbers.json") == 0
    assert json.loads(Path("numbers.json").read_text())["split"] == "file"
    assert run("calibrate", "p.csv", "--apply-to", "p.csv", "-o", "calibrated.csv", "--coverage", "0.8") == 0
    assert read_predictions("calibrated.csv").calibrated_scores is not None
    assert "24 lesions calibrated the scores: results are optimistically biased" in capsys.readouterr().out
    assert run("calibrate", "p.csv", "--apply-to", "p.csv", "-o", "calibrated.csv", "--coverage", "0.7") == 1
    assert "allowed are 0.8, 0.9, 0.95" in capsys.readouterr().err
    assert run("calibrate", "model", "--apply-to", "p.csv") == 1
    assert "needs a file of predictions" in capsys.readouterr().err
    rows = Path("p.csv").read_text().splitlines()
    Path("nevi.csv").write_text("\n".join([rows[0], *(row for row in rows[1:] if ",nevus," in row)]))
    assert run("calibrate", "nevi.csv") == 1
    assert "only images of nevus" in capsys.readouterr().err


def test_calibrating_a_run_updates_its_model_card(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    Path("model").rename("saved")
    Path("run").mkdir()
    Path("saved").rename("run/model")
    Path("run/recipe.yaml").write_text("data: {}\n")
    Path("run/metadata.json").write_text("{}")
    assert run("calibrate", "run", "--images", "images/table.csv") == 0
    temperature = json.loads(Path("run/model/calibration.json").read_text())["temperature"]["value"]
    assert f"| Temperature | {temperature:.3f}" in Path("run/model/README.md").read_text()
    Path("run/excluded.csv").write_text("damaged")
    capsys.readouterr()
    assert run("calibrate", "run", "--images", "images/table.csv") == 0
    assert "the model card still has the old calibration" in " ".join(capsys.readouterr().err.split())


def test_undefined_predictive_values_are_dashes(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{number},{('melanoma', 'nevus')[number % 2]},0.5,0.5" for number in range(NUM_IMAGES)]
    Path("equal.csv").write_text("\n".join(["image_id,label,p_melanoma,p_nevus", *rows]))
    assert run("calibrate", "equal.csv") == 0
    output = capsys.readouterr().out
    assert "NPV" in output
    assert "–" in output
    assert "nan" not in output
