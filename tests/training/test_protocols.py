"""Protocols of the papers, from the recipe to the run directory."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from lesionlens.core.errors import DataError, ModelError, RecipeError
from lesionlens.evaluation.metric import MACRO
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.evaluation.result import read_evaluation
from lesionlens.inference.predict import predict
from lesionlens.models.saved_model import load_saved_model
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import RunDir
from lesionlens.training.build import build, build_model
from lesionlens.training.resolve import resolve
from lesionlens.training.run import train
from lesionlens.training.setup import RunSetup, set_up_run

from ..helpers.tiny_datasets import write_ham10000, write_isic2017

SMALL = ["model.backbone=test_resnet", "model.input_size=48", "train.epochs=1", "train.batch_size=8"]
SEVEN = ("mel", "nv", "bcc", "akiec", "bkl", "df", "vasc")


@pytest.fixture(scope="module")
def isic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_isic2017(
        tmp_path_factory.mktemp("isic") / "isic2017", (16, 8, 8), size=(64, 48), masks=True, features=True
    )


@pytest.fixture(scope="module")
def ham(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lesions = [(dx, 1 + n % 2) for n in range(6) for dx in SEVEN]
    methods = ("histo", "follow_up", "consensus")
    root = tmp_path_factory.mktemp("ham") / "ham10000"
    return write_ham10000(root, lesions, size=(64, 48), dx_types=methods, masks=True)


def set_up(recipe: str, root: Path, *overrides: str) -> RunSetup:
    loaded = load_recipe(recipe, [f"data={root.name}:{root}", *SMALL, *overrides])
    return set_up_run(resolve(loaded))


@pytest.fixture(scope="module")
def two_task_run(recipe: str, isic: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """Train one model for both tasks of ISIC 2017, with a prior, region of interest, TTA and measured normalization."""
    empty = next((isic / "ISIC-2017_Training_Part1_GroundTruth").glob("*.png"))
    cv2.imwrite(str(empty), np.zeros((48, 64), np.uint8))
    directory = tmp_path_factory.mktemp("two")
    overrides = [
        f"data=isic2017:{isic}", f"data.cache_dir={directory / 'cache'}", *SMALL,
        "data.task=melanoma+SK", "data.split=official", "model.attention=gate", "attention_prior=lesion",
        "model.normalization=dataset", "crops.roi_margin=0.2", "crops.tta=flips", "train.loss=focal",
        "train.checkpoint=last", "augment=attnmel",
    ]  # fmt: skip
    return RunDir(train(recipe, overrides, out=directory / "run"))


@pytest.mark.slow
def test_two_tasks_are_evaluated_from_one_file(two_task_run: RunDir) -> None:
    predictions = read_predictions(two_task_run.predictions("test"))
    assert (predictions.classes, predictions.other_class) == (
        ("other", "melanoma", "seborrheic_keratosis"),
        "other",
    )
    assert set(predictions.label) == set(predictions.classes)
    sums = predictions.scores[:, 1:].sum(axis=1)
    assert not np.allclose(sums, 1)
    evaluation = read_evaluation(two_task_run.evaluation("test"))
    by_class = [evaluation.value("auc", name) for name in predictions.classes[1:]]
    assert evaluation.value("auc", MACRO) == pytest.approx(np.mean(by_class))


def test_saved_model_predicts_as_the_run(two_task_run: RunDir, isic: Path) -> None:
    card = load_saved_model(two_task_run.path).card
    assert (card.classes, card.multilabel) == (("melanoma", "seborrheic_keratosis"), True)
    with pytest.warns(UserWarning, match="1 of 32 images are used uncropped"):
        again = predict(two_task_run.path, [f"isic2017:{isic}"]).predictions
    saved = read_predictions(two_task_run.predictions("test"))
    index = {str(name): n for n, name in enumerate(again.image_id)}
    rows = [index[str(name)] for name in saved.image_id]
    np.testing.assert_allclose(again.scores[rows], saved.scores, atol=1e-5)
    assert again.label[rows].tolist() == saved.label.tolist()


def test_empty_masks_are_listed(two_task_run: RunDir) -> None:
    rows = pd.read_csv(two_task_run.path / "excluded.csv")
    assert sorted(reason.rpartition(": ")[2] for reason in rows["reason"]) == ["no prior", "used uncropped"]
    assert rows["split"].unique().tolist() == ["train"]
    assert rows["reason"].str.contains("empty").all()
    assert two_task_run.metadata()["data"]["excluded"] == 2


def test_prior_and_checkpoint_are_recorded(two_task_run: RunDir) -> None:
    assert {"attention_prior/layer2", "attention_prior/layer3"} <= set(
        pd.read_csv(two_task_run.metrics_csv).columns
    )
    assert two_task_run.metadata()["checkpoint"] == "last"
    report = (two_task_run.path / "report.html").read_text(encoding="utf-8")
    assert "lesion masks" in report
    assert "focal, gamma 2" in report
    assert "Excluded rows, images or masks: 2;" in report


def test_input_is_normalized_by_the_training_images(two_task_run: RunDir, isic: Path) -> None:
    splits = pd.read_csv(two_task_run.splits_csv)
    ids = splits[splits["split"] == "train"]["image_id"]
    files = {file.stem: file for file in isic.rglob("ISIC_*.jpg")}
    pixels = np.stack([cv2.imread(str(files[name]))[:, :, ::-1] for name in ids]) / 255
    preprocessing = load_saved_model(two_task_run.path).card.preprocessing
    np.testing.assert_allclose(
        preprocessing.mean, pixels.mean(axis=(0, 1, 2)), atol=2e-3
    )  # two JPEG decoders
    np.testing.assert_allclose(preprocessing.std, pixels.std(axis=(0, 1, 2)), atol=2e-3)


def test_pairwise_task_excludes_other_diagnoses(recipe: str, isic: Path) -> None:
    setup = set_up(recipe, isic, "data.task=seborrheic_keratosis/nevus", "data.split=official")
    assert setup.task.classes == ("nevus", "seborrheic_keratosis")
    assert set(setup.table.frame["diagnosis"]) == {"nevus", "seborrheic_keratosis"}
    assert {image.reason for image in setup.excluded} == {
        "melanoma is not part of the task seborrheic_keratosis/nevus"
    }


def test_confirmation_weights_need_confirmation(recipe: str, isic: Path) -> None:
    with pytest.raises(DataError, match="needs the confirmation method of diagnoses"):
        set_up(recipe, isic, "data.split=official", "train.confirmation_weights=benign")


def test_confirmation_weights_reach_the_batches(recipe: str, ham: Path, tmp_path: Path) -> None:
    overrides = [
        f"data=ham10000:{ham}",
        f"data.cache_dir={tmp_path}",
        *SMALL,
        "train.confirmation_weights=benign",
    ]
    components = build(set_up_run(resolve(load_recipe(recipe, overrides))))
    rows = components.setup.split_table("train").frame
    split_data = components.datamodule.train_dataset.split_data
    factor = {"histo": 4, "follow_up": 2, "consensus": 1}
    malignant = {"melanoma", "basal_cell_carcinoma", "actinic_keratosis"}
    expected = [
        1 if name in malignant else factor[method]
        for name, method in zip(rows["diagnosis"], rows["diagnosis_method"], strict=True)
    ]
    assert split_data.sample_weights is not None
    assert split_data.sample_weights.tolist() == expected
    batch = next(iter(components.datamodule.train_dataloader()))
    assert set(batch.sample_weight.tolist()) <= {1.0, 2.0, 4.0}


def test_folds_test_each_lesion_once(recipe: str, ham: Path) -> None:
    tested: list[str] = []
    for fold in range(3):
        overrides = ["data.split=group_kfold", "data.val_fraction=0.3", "n_folds=3", f"fold={fold}"]
        tested += set_up(recipe, ham, *overrides).splits.splits["test"]
    assert len(tested) == len(set(tested)) == 63


def test_extra_images_train_only(recipe: str, ham: Path, tmp_path: Path) -> None:
    extra = write_ham10000(tmp_path / "extra", [("mel", 1)] * 3, size=(40, 30))
    for file in extra.rglob("ISIC_*.jpg"):  # new ids
        file.rename(file.with_name(file.name.replace("ISIC_", "ISIC_9")))
    table = extra / "HAM10000_metadata.csv"
    table.write_text(table.read_text().replace("ISIC_", "ISIC_9").replace("HAM_", "MORE_"))
    setup = set_up(recipe, ham, f"data.extra_train=[ham10000:{extra}]")
    new = [name for name in setup.table.frame["image_id"] if name.startswith("ISIC_9")]
    assert len(new) + len(setup.excluded) == 3
    assert set(new) <= set(setup.splits.splits["train"])


def test_selecting_on_the_test_split_has_a_caveat(recipe: str, ham: Path) -> None:
    overrides = ["data.split=datta2021", "data.checkpoint_split=test", "data.test_fraction=0.3"]
    setup = set_up(recipe, ham, *overrides)
    assert setup.splits.splits["validation"] == setup.splits.splits["test"]
    assert any("optimistically biased" in caveat.text for caveat in setup.splits.caveats)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.task=melanoma+nevus", "model.attention=patch", "model.kwargs={crops: 5, average: probabilities}"],
         "average=logits"),
        (["data.task=melanoma/melanoma"], "is not a task; use one class"),
        (["n_folds=3", "fold=3"], "fold: 3 is not below n_folds=3"),
        (["fold=0"], "fold: 0 requires n_folds"),
        (["train.class_repeats={naevus: 2}"], r"unknown class in train\.class_repeats 'naevus': did you mean 'nevus'"),
        (["train.class_weights={naevus: 2}"], r"unknown class in train\.class_weights 'naevus'"),
        (["data.split=gessert2019"], "A recipe with n_folds=3 and no fold trains on each in turn"),
        (["model.mean=[0,0,0]"], "mean and std belong together"),
    ],
)  # fmt: skip
def test_contradictions_are_rejected(recipe: str, ham: Path, overrides: list[str], message: str) -> None:
    with pytest.raises((DataError, RecipeError), match=message):
        set_up(recipe, ham, *overrides)


def test_prior_needs_spatial_maps_and_masks(recipe: str, ham: Path) -> None:
    without_maps = set_up(recipe, ham, "attention_prior=lesion")
    with pytest.raises(ModelError, match="TimmClassifier has none"):
        build_model(without_maps.resolved, 7)
    with pytest.raises(DataError, match="no folder of masks nowhere"):
        set_up(recipe, ham, "model.attention=gate", "attention_prior=lesion", "data.mask_dir=nowhere")
