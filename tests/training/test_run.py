"""Training runs: files, metadata, reproducibility, early stopping, errors, and recovery from a full disk."""

import errno
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from lesionlens.core.errors import DataError, ModelError, RecipeError, RunError, WeightsError
from lesionlens.core.runtime import default_num_threads
from lesionlens.datasets.registry import load_table
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.evaluation.result import read_evaluation
from lesionlens.imaging.decode import read_header
from lesionlens.models.saved_model import load_saved_model
from lesionlens.report.model_card import write_model_card
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import RunDir, check_run_dir, create_run_dir
from lesionlens.training.build import build
from lesionlens.training.crop_draws import CropDraws
from lesionlens.training.resolve import resolve
from lesionlens.training.run import resume, train
from lesionlens.training.setup import set_up_run

from ..helpers.fake_groups import write_tested_run
from ..helpers.images import write_mask


@pytest.fixture(scope="module")
def run(recipe: str, base_overrides: list[str], tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """Train for two epochs, and evaluate."""
    extra = [
        "data.task=melanoma",  # figures of two classes are faster
        "train.epochs=2",
        "train.batch_size=16",
        "train.precision=bf16",  # slow on CPUs without bf16 instructions, hence the small input
        "model.input_size=32",
        "train.channels_last=true",
        "train.class_weight_power=0.5",
    ]
    crops = [
        "crops.train={strategy: multi-scale, count: 3}",
        "crops.test.strategy=multi-scale",
        "crops.test.count=2",
    ]
    return RunDir(
        train(recipe, [*base_overrides, *extra, *crops], out=tmp_path_factory.mktemp("complete") / "run")
    )


def test_run_directory_is_complete(run: RunDir) -> None:
    expected = [
        "recipe.yaml",
        "metadata.json",
        "split.csv",
        "metrics.csv",
        "report.html",
        "model/model.safetensors",
    ]
    expected += ["model/model_card.json", "model/README.md", "checkpoints/last.ckpt"]
    expected += [
        f"{directory}/{split}.{suffix}"
        for directory, suffix in (("predictions", "csv"), ("evaluation", "json"))
        for split in ("validation", "test")
    ]
    assert [name for name in expected if not (run.path / name).is_file()] == []
    assert list(run.path.rglob("*.partial")) == []
    card = (run.path / "model" / "README.md").read_bytes()
    assert write_model_card(run.path).read_bytes() == card
    metadata = run.metadata()
    assert metadata["status"] == "finished"
    assert metadata["epochs_run"] == 2
    assert {"fingerprint", "split", "splits"} <= set(metadata["data"])
    assert torch.__version__.startswith(metadata["versions"]["torch"])
    assert (
        metadata["auto_values"] | {"data.cache": "memmap", "train.num_workers": 0} == metadata["auto_values"]
    )
    assert metadata["auto_values"]["train.num_threads"] == default_num_threads() == torch.get_num_threads()
    num_images = pd.read_csv(run.splits_csv)["split"].value_counts()
    assert {
        name: facts["images"] for name, facts in metadata["data"]["splits"].items()
    } == num_images.to_dict()


def test_metrics_have_one_row_per_epoch_with_alphas(run: RunDir) -> None:
    log = pd.read_csv(run.metrics_csv)
    assert list(log["epoch"]) == [1, 2]
    alphas = [name for name in log.columns if name.startswith("alpha/")]
    assert alphas == [f"alpha/layer{stage}.0" for stage in (1, 2, 3, 4)]
    assert (log[alphas].nunique() == 2).any()
    images = run.metadata()["data"]["splits"]["train"]["images"]
    assert log["step"].tolist() == [3 * images // 16, 2 * (3 * images // 16)]  # three crops of each image


def test_best_epoch_is_saved(run: RunDir) -> None:
    log, best = pd.read_csv(run.metrics_csv), run.metadata()["best"]
    assert best["value"] == pytest.approx(log["val_auc"].max())
    assert best["epoch"] == log["val_auc"].idxmax() + 1
    card = load_saved_model(run.path).card
    assert card.training_data["epoch"] == best["epoch"]
    assert card.preprocessing.crop_count == 2


def test_evaluation_matches_predictions(run: RunDir) -> None:
    evaluation = read_evaluation(run.evaluation("test"))
    predictions = read_predictions(run.predictions("test"))
    assert (
        evaluation.n_images == len(predictions.image_id) == run.metadata()["data"]["splits"]["test"]["images"]
    )
    assert evaluation.value("auc") == pytest.approx(
        pd.Series([evaluation.value("auc", name) for name in evaluation.classes]).mean()
    )


@pytest.mark.usefixtures("without_evaluation")
def test_same_seed_gives_same_weights(recipe: str, base_overrides: list[str], tmp_path: Path) -> None:
    short = [*base_overrides, "train.epochs=1"]
    first, again = (RunDir(train(recipe, short, out=tmp_path / name)) for name in ("a", "b"))
    other = RunDir(train(recipe, [*short, "train.seed=1"], out=tmp_path / "c"))
    weights = [(run_dir.best_model / "model.safetensors").read_bytes() for run_dir in (first, again, other)]
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


def test_run_does_not_overwrite_another(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    assert create_run_dir("demo", runs_dir=tmp_path).path == tmp_path / "demo-2"
    (tmp_path / "demo" / "notes.txt").touch()
    for check in (create_run_dir, check_run_dir):
        with pytest.raises(RunError, match="never overwrites"):
            check("demo", out=tmp_path / "demo")


@pytest.mark.usefixtures("without_evaluation")
@pytest.mark.slow
def test_early_stopping_respects_patience(recipe: str, base_overrides: list[str], tmp_path: Path) -> None:
    still = [
        "train.epochs=30",
        "train.early_stopping.patience=2",
        "train.lr=1e-12",
        "train.monitor=val_loss",
        "model.kwargs={}",
    ]
    frozen = ["augment.rotation=0", "train.optimizer=sgd", "train.momentum=0"]
    run_dir = RunDir(train(recipe, [*base_overrides, *still, *frozen], out=tmp_path / "run"))
    best = run_dir.metadata()["best"]["epoch"]
    assert run_dir.metadata()["epochs_run"] == best + 2
    assert run_dir.metadata()["epochs_run"] < 30
    assert "no better val_loss for 2 epochs" in run_dir.metadata()["stop_reason"]


@pytest.mark.slow
def test_stopped_run_does_not_train_after_resuming(
    recipe: str, base_overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is interrupted during its evaluation."""

    def full(*_: object, **__: object) -> None:
        raise RunError("no space")

    monkeypatch.setattr("lesionlens.training.run.evaluate_run", full)
    still = ["train.epochs=30", "train.early_stopping.patience=2", "train.lr=1e-12", "train.monitor=val_loss"]
    with pytest.raises(RunError, match="no space"):
        train(recipe, [*base_overrides, *still], out=tmp_path / "run")
    run_dir = RunDir(tmp_path / "run")
    before, checkpoint = run_dir.metadata(), run_dir.checkpoint.read_bytes()
    assert before["epochs_run"] < 30
    monkeypatch.setattr("lesionlens.training.run.evaluate_run", lambda *_, **__: None)
    resume(run_dir.path)
    assert run_dir.metadata()["status"] == "finished"
    assert [run_dir.metadata()[key] for key in ("epochs_run", "best", "stop_reason")] == [
        before[key] for key in ("epochs_run", "best", "stop_reason")
    ]
    assert run_dir.checkpoint.read_bytes() == checkpoint


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        ("model.weights=nowhere.pth", WeightsError, "weights file nowhere.pth does not exist"),
        (
            "model.backbone=vit_tiny_patch16_224 model.attention=none",
            ModelError,
            "cannot process images of 64 × 64",
        ),
        ("train.device=gpu", RunError, "no GPU that torch can use"),
        ("data.task=melanom", DataError, "did you mean 'melanoma'"),
        ("train.epoch=1", RecipeError, "did you mean 'train.epochs'"),
        ("data=ham10000:/nowhere", DataError, "does not exist"),
    ],
)
def test_errors_precede_the_run_directory(
    recipe: str,
    base_overrides: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    override: str,
    error: type[Exception],
    message: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(error, match=message):
        train(recipe, [*base_overrides, *override.split()], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_mask_directory_is_checked_before_training(
    recipe: str, base_overrides: list[str], tmp_path: Path
) -> None:
    """A recipe without crops or prior uses the masks only in the report, after the last epoch."""
    for mask_dir, message in ((tmp_path / "none", "no folder of masks"), (tmp_path, "no mask in .* belongs")):
        (tmp_path / "other.png").touch()
        with pytest.raises(DataError, match=message):
            train(recipe, [*base_overrides, f"data.mask_dir={mask_dir}"], out=tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_masks_of_the_test_split_are_read_before_training(
    recipe: str, base_overrides: list[str], tmp_path: Path
) -> None:
    setup = set_up_run(resolve(load_recipe(recipe, base_overrides)))
    for image_id, path in zip(setup.table.frame["image_id"], setup.table.paths, strict=True):
        header = read_header(path)
        write_mask(tmp_path / "masks" / f"{image_id}.png", size=(header.width, header.height))
    overrides = [*base_overrides, f"data.mask_dir={tmp_path / 'masks'}", "crops.roi_margin=0.1"]
    build(set_up_run(resolve(load_recipe(recipe, overrides))))
    (tmp_path / "masks" / f"{setup.splits.splits['test'][0]}.png").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"masks that cannot be used: 1 .*Replace or remove them"):
        train(recipe, overrides, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_mask_directory_may_have_masks_of_one_split(
    recipe: str, base_overrides: list[str], tmp_path: Path
) -> None:
    overrides = [*base_overrides, "train.epochs=1"]
    setup = set_up_run(resolve(load_recipe(recipe, overrides)))
    write_mask(tmp_path / "masks" / f"{setup.splits.splits['train'][0]}.png")
    run = RunDir(train(recipe, [*overrides, f"data.mask_dir={tmp_path / 'masks'}"], out=tmp_path / "run"))
    assert run.metadata()["status"] == "finished"


@pytest.mark.usefixtures("without_evaluation")
@pytest.mark.slow
def test_full_disk_loses_no_epoch(
    recipe: str, base_overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, calls = Path.write_bytes, []

    def full_at_the_second_checkpoint(file: Path, content: bytes) -> int:
        calls.append("ckpt" in file.name)
        if calls[-1] and sum(calls) == 2:
            write(file, bytes(content)[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, content)

    monkeypatch.setattr(Path, "write_bytes", full_at_the_second_checkpoint)
    with pytest.raises(RunError, match="No space left on device"):
        train(recipe, base_overrides, out=tmp_path / "run")
    run_dir = RunDir(tmp_path / "run")
    assert run_dir.metadata()["status"] == "interrupted"
    assert torch.load(run_dir.checkpoint, weights_only=True)["epoch"] == 0
    resume(run_dir.path)
    assert run_dir.metadata()["status"] == "finished"


@pytest.mark.usefixtures("without_evaluation")
def test_changed_dataset_is_not_resumed(recipe: str, base_overrides: list[str], tmp_path: Path) -> None:
    run_dir = RunDir(train(recipe, [*base_overrides, "train.epochs=1"], out=tmp_path / "run"))
    metadata = run_dir.metadata()
    metadata["status"], metadata["data"]["fingerprint"] = "interrupted", "0" * 64
    (run_dir.path / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(RunError, match=r"dataset of .* has changed"):
        resume(run_dir.path)


def test_other_directories_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run directory"):
        resume(tmp_path)


@pytest.mark.slow
def test_model_without_maps_has_a_report(recipe: str, base_overrides: list[str], tmp_path: Path) -> None:
    """A vision transformer that uses only its class token has neither attention maps nor Grad-CAM."""
    token = ["model.backbone=test_vit", "model.attention=none", "model.input_size=160", "train.epochs=1"]
    run_dir = RunDir(train(recipe, [*base_overrides, *token], out=tmp_path / "run"))
    assert run_dir.metadata()["status"] == "finished"
    assert (run_dir.path / "report.html").is_file()
    assert "alpha" not in run_dir.metrics_csv.read_text()


def test_draws_of_test_crops_are_scored_with_their_own_seeds(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = list(CropDraws(run, 2).predictions())
    assert not np.array_equal(common[0].scores, common[1].scores)
    loaded, ids = load_saved_model(run.best_model), list(common[1].image_id)
    seed = int(np.random.SeedSequence((load_recipe(str(run.recipe)).train.seed, 0, 1)).generate_state(1)[0])
    preprocessing = loaded.card.preprocessing.model_copy(update={"seed": seed})
    image = preprocessing.load_image(Path(load_table(read_source(run)).select(ids).paths[3]))
    with torch.inference_mode():
        probabilities = loaded.model(preprocessing.prepare_input(image)).logits.softmax(dim=1).mean(dim=0)
    np.testing.assert_allclose(common[1].scores[3], probabilities.numpy(), atol=1e-5)
    independent = list(CropDraws(run, 2, per_image=True).predictions())
    assert not np.array_equal(independent[0].scores, common[0].scores)
    monkeypatch.setattr("lesionlens.training.crop_draws.run_inference", None)  # all draws are saved
    assert CropDraws(run, 2).values().shape[1] == 3 + 2
    auc = CropDraws(run, 2).metric_values("auc", "melanoma")
    assert auc[0] == pytest.approx(roc_auc_score(common[0].label == "melanoma", common[0].scores[:, 1]))


def read_source(run: RunDir) -> str:
    return load_recipe(str(run.recipe)).data.source


def test_draws_of_fixed_crops_are_rejected(run: RunDir, tmp_path: Path) -> None:
    fixed = write_tested_run(tmp_path / "fixed", read_predictions(run.predictions("test")))
    with pytest.raises(RunError, match=r"not random \(crops\.test\.strategy=full\).* multi-scale"):
        next(CropDraws(fixed, 2).predictions())


@pytest.mark.slow
def test_images_that_calibrate_have_no_calibrated_scores(
    recipe: str, base_overrides: list[str], tmp_path: Path
) -> None:
    short = [*base_overrides, "train.epochs=1"]
    run = RunDir(train(recipe, [*short, "data.calibration=0.3"], out=tmp_path / "held-out"))
    by_split = {
        name: read_predictions(run.predictions(name)) for name in ("calibration", "validation", "test")
    }
    assert by_split["calibration"].calibrated_scores is None
    for name in ("validation", "test"):
        assert by_split[name].calibrated_scores is not None
        assert by_split[name].prediction_sets is not None
        assert by_split[name].ood_percentile is not None
    lesions = [set(by_split[name].lesion_id) for name in by_split]
    assert not lesions[0] & (lesions[1] | lesions[2])
    assert run.metadata()["calibration"]["split"] == "calibration"
    selected = RunDir(train(recipe, [*short, "data.checkpoint_split=test"], out=tmp_path / "selected"))
    for name in ("validation", "test"):  # the same images, which calibrated
        assert read_predictions(selected.predictions(name)).calibrated_scores is None
    assert "no coverage of prediction sets is promised" in (selected.path / "report.html").read_text()
    last = RunDir(train(recipe, [*short, "train.checkpoint=last"], out=tmp_path / "last"))
    assert read_predictions(last.predictions("test")).prediction_sets is not None
    assert "no coverage of prediction sets" not in (last.path / "report.html").read_text()
