"""A whole run by its function: what it leaves, what it refuses, what it never loses."""

import errno
import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from lesionlens.core.errors import DataError, ModelError, RecipeError, RunError, WeightsError
from lesionlens.core.runtime import default_num_threads
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.evaluation.result import read_evaluation
from lesionlens.models.saved_model import load_model
from lesionlens.runs.run_dir import RunDir, create_run_dir
from lesionlens.training.run import resume, train


@pytest.fixture(scope="module")
def run(recipe: str, words: list[str], tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """Train for two epochs with everything that has a key, to the end: numbers, pictures, report."""
    extra = [
        "data.task=melanoma",  # of two classes the figures are drawn sooner
        "train.epochs=2",
        "train.precision=bf16",  # slow where a processor has no such instructions, hence the small input
        "model.input_size=32",
        "train.channels_last=true",
        "train.class_weight_power=0.5",
    ]
    crops = ["crops.train=multi-scale", "crops.train_count=3", "crops.test=multi-scale", "crops.test_count=2"]
    return RunDir(train(recipe, [*words, *extra, *crops], out=tmp_path_factory.mktemp("whole") / "run"))


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what comes after the last epoch."""
    monkeypatch.setattr("lesionlens.training.run.evaluate_run", lambda *_, **__: None)


def test_leaves_all_that_the_design_says(run: RunDir) -> None:
    expected = [
        "recipe.yaml",
        "metadata.json",
        "split.csv",
        "metrics.csv",
        "report.html",
        "model/model.safetensors",
    ]
    expected += ["model/model_card.json", "checkpoints/last.ckpt"]
    expected += [
        f"{kind}/{part}.{end}"
        for kind, end in (("predictions", "csv"), ("evaluation", "json"))
        for part in ("validation", "test")
    ]
    assert [name for name in expected if not (run.path / name).is_file()] == []
    assert list(run.path.rglob("*.partial")) == []
    record = run.metadata()
    assert record["status"] == "finished"
    assert record["epochs_run"] == 2
    assert {"fingerprint", "split", "splits"} <= set(record["data"])
    assert torch.__version__.startswith(record["versions"]["torch"])
    assert record["auto_values"] | {"data.cache": "memmap", "train.num_workers": 0} == record["auto_values"]
    assert record["auto_values"]["train.num_threads"] == default_num_threads() == torch.get_num_threads()
    parts = pd.read_csv(run.splits_csv)["split"].value_counts()
    assert {name: facts["images"] for name, facts in record["data"]["splits"].items()} == parts.to_dict()


def test_the_log_has_a_row_an_epoch_with_every_alpha(run: RunDir) -> None:
    log = pd.read_csv(run.metrics_csv)
    assert list(log["epoch"]) == [1, 2]
    alphas = [name for name in log.columns if name.startswith("alpha/")]
    assert alphas == [f"alpha/layer{stage}.0" for stage in (1, 2, 3, 4)]
    assert (log[alphas].nunique() == 2).any()
    images = run.metadata()["data"]["splits"]["train"]["images"]
    assert log["step"].tolist() == [3 * images // 16, 2 * (3 * images // 16)]  # three crops of each image


def test_the_best_epoch_is_the_one_of_the_log_and_of_the_card(run: RunDir) -> None:
    log, best = pd.read_csv(run.metrics_csv), run.metadata()["best"]
    assert best["value"] == pytest.approx(log["val_auc"].max())
    assert best["epoch"] == log["val_auc"].idxmax() + 1
    card = load_model(run.path).card
    assert card.training_data["epoch"] == best["epoch"]
    assert card.preprocessing.crop_count == 2


def test_the_evaluation_is_that_of_the_predictions(run: RunDir) -> None:
    found = read_evaluation(run.evaluation("test"))
    predictions = read_predictions(run.predictions("test"))
    assert found.n_images == len(predictions.image_id) == run.metadata()["data"]["splits"]["test"]["images"]
    assert found.value("auc") == pytest.approx(
        pd.Series([found.value("auc", name) for name in found.classes]).mean()
    )


@pytest.mark.usefixtures("unmeasured")
def test_the_same_recipe_and_seed_give_the_same_weights(
    recipe: str, words: list[str], tmp_path: Path
) -> None:
    short = [*words, "train.epochs=1"]
    first, again = (RunDir(train(recipe, short, out=tmp_path / name)) for name in ("a", "b"))
    other = RunDir(train(recipe, [*short, "train.seed=1"], out=tmp_path / "c"))
    weights = [(folder.best_model / "model.safetensors").read_bytes() for folder in (first, again, other)]
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


def test_a_run_never_overwrites_another(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    assert create_run_dir("demo", runs_dir=tmp_path).path == tmp_path / "demo-2"
    with pytest.raises(RunError, match="never overwrites"):
        create_run_dir("demo", out=tmp_path / "demo")


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.slow
def test_early_stopping_waits_for_its_patience(recipe: str, words: list[str], tmp_path: Path) -> None:
    still = [
        "train.epochs=9",
        "train.patience=2",
        "train.lr=1e-12",
        "train.monitor=val_loss",
        "model.kwargs={}",
    ]
    frozen = ["augment.rotation=0", "train.optimizer=sgd", "train.momentum=0"]
    folder = RunDir(train(recipe, [*words, *still, *frozen], out=tmp_path / "run"))
    best = folder.metadata()["best"]["epoch"]
    assert folder.metadata()["epochs_run"] == best + 2
    assert folder.metadata()["epochs_run"] < 9
    assert "no better val_loss for 2 epochs" in folder.metadata()["stop_reason"]


@pytest.mark.slow
def test_a_run_that_had_stopped_early_trains_no_further(
    recipe: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is interrupted while it is measured, when the last epoch is over."""

    def full(*_: object, **__: object) -> None:
        raise RunError("no space")

    monkeypatch.setattr("lesionlens.training.run.evaluate_run", full)
    still = ["train.epochs=9", "train.patience=2", "train.lr=1e-12", "train.monitor=val_loss"]
    with pytest.raises(RunError, match="no space"):
        train(recipe, [*words, *still], out=tmp_path / "run")
    folder = RunDir(tmp_path / "run")
    before, checkpoint = folder.metadata(), folder.checkpoint.read_bytes()
    assert before["epochs_run"] < 9
    monkeypatch.setattr("lesionlens.training.run.evaluate_run", lambda *_, **__: None)
    resume(folder.path)
    assert folder.metadata()["status"] == "finished"
    assert [folder.metadata()[key] for key in ("epochs_run", "best", "stop_reason")] == [
        before[key] for key in ("epochs_run", "best", "stop_reason")
    ]
    assert folder.checkpoint.read_bytes() == checkpoint


@pytest.mark.parametrize(
    ("word", "error", "message"),
    [
        ("model.weights=nowhere.pth", WeightsError, "weights file nowhere.pth does not exist"),
        (
            "model.backbone=vit_tiny_patch16_224 model.attention=none",
            ModelError,
            "cannot take images of 64 × 64",
        ),
        ("train.device=gpu", RunError, "no GPU here"),
        ("data.task=melanom", DataError, "did you mean 'melanoma'"),
        ("train.epoch=1", RecipeError, "did you mean 'train.epochs'"),
        ("data=ham10000:/nowhere", DataError, "does not exist"),
    ],
)
def test_refuses_before_it_makes_a_folder(
    recipe: str,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    word: str,
    error: type[Exception],
    message: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(error, match=message):
        train(recipe, [*words, *word.split()], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.slow
def test_a_full_disk_loses_no_epoch(
    recipe: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, calls = Path.write_bytes, []

    def full_at_the_second_checkpoint(file: Path, content: bytes) -> int:
        calls.append("ckpt" in file.name)
        if sum(calls) == 2:
            write(file, bytes(content)[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, content)

    monkeypatch.setattr(Path, "write_bytes", full_at_the_second_checkpoint)
    with pytest.raises(RunError, match="No space left on device"):
        train(recipe, words, out=tmp_path / "run")
    folder = RunDir(tmp_path / "run")
    assert folder.metadata()["status"] == "interrupted"
    assert torch.load(folder.checkpoint, weights_only=True)["epoch"] == 0
    resume(folder.path)
    assert folder.metadata()["status"] == "finished"


@pytest.mark.usefixtures("unmeasured")
def test_changed_data_are_not_resumed(recipe: str, words: list[str], tmp_path: Path) -> None:
    folder = RunDir(train(recipe, [*words, "train.epochs=1"], out=tmp_path / "run"))
    record = folder.metadata()
    record["status"], record["data"]["fingerprint"] = "interrupted", "0" * 64
    (folder.path / "metadata.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"data .* are not what they were"):
        resume(folder.path)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run's folder"):
        resume(tmp_path)


@pytest.mark.slow
def test_a_network_without_any_map_ends_with_a_report(recipe: str, words: list[str], tmp_path: Path) -> None:
    """A transformer that reads its class token only has neither native maps nor Grad-CAM."""
    token = ["model.backbone=test_vit", "model.attention=none", "model.input_size=160", "train.epochs=1"]
    folder = RunDir(train(recipe, [*words, *token], out=tmp_path / "run"))
    assert folder.metadata()["status"] == "finished"
    assert (folder.path / "report.html").is_file()
    assert "alpha" not in folder.metrics_csv.read_text()
