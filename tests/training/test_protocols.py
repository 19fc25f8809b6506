"""What recipes of the papers ask for, from the recipe to the run's folder."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from lesionlens.core.errors import DataError, ModelError, RecipeError
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.evaluation.result import read_evaluation
from lesionlens.inference.predict import predict
from lesionlens.models.saved_model import load_model
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import RunDir
from lesionlens.training.build import build_datamodule
from lesionlens.training.run import train
from lesionlens.training.setup import RunSetup, set_up_run

from ..helpers.tiny_datasets import write_ham10000, write_isic2017

SMALL = ["model.backbone=test_resnet", "model.input_size=64", "train.epochs=1", "train.batch_size=8"]
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
    root = tmp_path_factory.mktemp("ham") / "ham"
    return write_ham10000(root, lesions, size=(64, 48), dx_types=methods, masks=True)


def asked(recipe: str, root: Path, *words: str) -> RunSetup:
    return set_up_run(load_recipe(recipe, [f"data={root.name}:{root}", *SMALL, *words]))


@pytest.fixture(scope="module")
def two_task(recipe: str, isic: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """One network for both questions of ISIC 2017, with a prior, a region of interest, turns and its own scale."""
    empty = next((isic / "ISIC-2017_Training_Part1_GroundTruth").glob("*.png"))
    cv2.imwrite(str(empty), np.zeros((48, 64), np.uint8))
    folder = tmp_path_factory.mktemp("two")
    words = [
        f"data=isic2017:{isic}", f"data.cache_dir={folder / 'store'}", *SMALL,
        "data.task=melanoma+SK", "data.split=official", "model.attention=gate", "attention_prior=lesion",
        "model.normalization=dataset", "crops.roi_margin=0.2", "crops.tta=flips", "train.loss=focal",
        "train.checkpoint=last", "augment=attnmel",
    ]  # fmt: skip
    return RunDir(train(recipe, words, out=folder / "run"))


def test_both_questions_are_scored_from_one_file(two_task: RunDir) -> None:
    predictions = read_predictions(two_task.predictions("test"))
    assert (predictions.classes, predictions.other_class) == (
        ("other", "melanoma", "seborrheic_keratosis"),
        "other",
    )
    assert set(predictions.label) == set(predictions.classes)
    sums = predictions.scores[:, 1:].sum(axis=1)
    assert not np.allclose(sums, 1)
    evaluation = read_evaluation(two_task.evaluation("test"))
    each = [evaluation.value("auc", name) for name in predictions.classes[1:]]
    assert evaluation.value("auc", "macro") == pytest.approx(np.mean(each))


def test_the_bundle_predicts_what_the_run_did(two_task: RunDir, isic: Path) -> None:
    card = load_model(two_task.path).card
    assert (card.classes, card.multilabel) == (("melanoma", "seborrheic_keratosis"), True)
    with pytest.warns(UserWarning, match="1 of 32 images are used uncropped"):
        again = predict(two_task.path, [f"isic2017:{isic}"]).predictions
    ran = read_predictions(two_task.predictions("test"))
    place = {str(name): n for n, name in enumerate(again.image_id)}
    rows = [place[str(name)] for name in ran.image_id]
    np.testing.assert_allclose(again.scores[rows], ran.scores, atol=1e-5)
    assert again.label[rows].tolist() == ran.label.tolist()


def test_an_empty_mask_is_told(two_task: RunDir) -> None:
    rows = pd.read_csv(two_task.path / "excluded.csv")
    assert sorted(reason.rpartition(": ")[2] for reason in rows["reason"]) == ["no prior", "seen whole"]
    assert rows["split"].unique().tolist() == ["train"]
    assert rows["reason"].str.contains("empty").all()
    assert two_task.metadata()["data"]["excluded"] == 2


def test_prior_and_last_epoch_are_recorded(two_task: RunDir) -> None:
    assert {"attention_prior/layer2", "attention_prior/layer3"} <= set(
        pd.read_csv(two_task.metrics_csv).columns
    )
    assert two_task.metadata()["checkpoint"] == "last"
    report = (two_task.path / "report.html").read_text(encoding="utf-8")
    assert "lesion masks" in report
    assert "focal, gamma 2" in report
    assert "done without: 2;" in report


def test_the_input_is_scaled_by_the_training_images(two_task: RunDir, isic: Path) -> None:
    parts = pd.read_csv(two_task.splits_csv)
    ids = parts[parts["split"] == "train"]["image_id"]
    files = {file.stem: file for file in isic.rglob("ISIC_*.jpg")}
    pixels = np.stack([cv2.imread(str(files[name]))[:, :, ::-1] for name in ids]) / 255
    scale = load_model(two_task.path).card.preprocessing
    np.testing.assert_allclose(scale.mean, pixels.mean(axis=(0, 1, 2)), atol=2e-3)  # two JPEG decoders
    np.testing.assert_allclose(scale.std, pixels.std(axis=(0, 1, 2)), atol=2e-3)


def test_one_against_another_leaves_the_others_out(recipe: str, isic: Path) -> None:
    prepared = asked(recipe, isic, "data.task=seborrheic_keratosis/nevus", "data.split=official")
    assert prepared.task.classes == ("nevus", "seborrheic_keratosis")
    held = set(prepared.table.frame["diagnosis"])
    assert held == {"nevus", "seborrheic_keratosis"}
    assert {each.reason for each in prepared.excluded} == {
        "melanoma has no place in the task seborrheic_keratosis/nevus"
    }


def test_diagnosis_weights_without_methods_are_refused_before_images_are_decoded(
    recipe: str, isic: Path
) -> None:
    with pytest.raises(DataError, match="needs to know how diagnoses were made"):
        asked(recipe, isic, "data.split=official", "train.confirmation_weights=benign")


def test_diagnosis_weights_reach_the_batches(recipe: str, ham: Path, tmp_path: Path) -> None:
    words = [
        f"data=ham10000:{ham}",
        f"data.cache_dir={tmp_path}",
        *SMALL,
        "train.confirmation_weights=benign",
    ]
    ready = build_datamodule(set_up_run(load_recipe(recipe, words)))
    rows = ready.setup.split_table("train").frame
    part = ready.datamodule.train_dataset.split_data
    factor = {"histo": 4, "follow_up": 2, "consensus": 1}
    malignant = {"melanoma", "basal_cell_carcinoma", "actinic_keratosis"}
    expected = [
        1 if name in malignant else factor[how]
        for name, how in zip(rows["diagnosis"], rows["diagnosis_method"], strict=True)
    ]
    assert part.sample_weights is not None
    assert part.sample_weights.tolist() == expected
    batch = next(iter(ready.datamodule.train_dataloader()))
    assert set(batch.sample_weight.tolist()) <= {1.0, 2.0, 4.0}


def test_folds_test_every_lesion_once(recipe: str, ham: Path) -> None:
    tested: list[str] = []
    for fold in range(3):
        words = [f"data=ham10000:{ham}", *SMALL, "data.split=group_kfold", "data.val_fraction=0.3"]
        words += ["n_folds=3", f"fold={fold}"]
        tested += set_up_run(load_recipe(recipe, words)).splits.splits["test"]
    assert len(tested) == len(set(tested)) == 63


def test_extra_images_train_only(recipe: str, ham: Path, tmp_path: Path) -> None:
    more = write_ham10000(tmp_path / "more", [("mel", 1)] * 3, size=(40, 30))
    for file in more.rglob("ISIC_*.jpg"):  # ids of their own
        file.rename(file.with_name(file.name.replace("ISIC_", "ISIC_9")))
    table = more / "HAM10000_metadata.csv"
    table.write_text(table.read_text().replace("ISIC_", "ISIC_9").replace("HAM_", "MORE_"))
    words = [f"data=ham10000:{ham}", *SMALL, f"data.extra_train=[ham10000:{more}]"]
    prepared = set_up_run(load_recipe(recipe, words))
    new = [name for name in prepared.table.frame["image_id"] if name.startswith("ISIC_9")]
    told = [each.image_id for each in prepared.excluded]
    assert len(new) + len(told) == 3
    assert set(new) <= set(prepared.splits.splits["train"])


def test_select_on_test_is_loud(recipe: str, ham: Path) -> None:
    words = [
        f"data=ham10000:{ham}",
        *SMALL,
        "data.split=datta2021",
        "data.checkpoint_split=test",
        "data.test_fraction=0.3",
    ]
    prepared = set_up_run(load_recipe(recipe, words))
    assert prepared.splits.splits["validation"] == prepared.splits.splits["test"]
    assert any("optimistically biased" in remark for remark in prepared.splits.caveats)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.task=melanoma+nevus", "model.attention=patch", "model.kwargs={crops: 5, average: probabilities}"],
         "average=logits"),
        (["data.task=melanoma/melanoma"], "is not a task; use one class"),
        (["n_folds=3", "fold=3"], "fold: 3 is none of n_folds=3"),
        (["fold=0"], "fold: 0 of how many"),
        (["train.class_repeats={naevus: 2}"], r"unknown class in train\.class_repeats 'naevus': did you mean 'nevus'"),
        (["train.class_weights={naevus: 2}"], r"unknown class in train\.class_weights 'naevus'"),
        (["data.split=gessert2019"], "A recipe with n_folds=3 and no fold trains on each in turn"),
        (["model.mean=[0,0,0]"], "mean and std belong together"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(recipe: str, ham: Path, words: list[str], message: str) -> None:
    with pytest.raises((DataError, RecipeError), match=message):
        set_up_run(load_recipe(recipe, [f"data=ham10000:{ham}", *SMALL, *words]))


def test_a_prior_that_finds_no_maps_or_masks_is_refused_before_images_are_decoded(
    recipe: str, ham: Path
) -> None:
    plain = set_up_run(load_recipe(recipe, [f"data=ham10000:{ham}", *SMALL, "attention_prior=lesion"]))
    with pytest.raises(ModelError, match="has none of places"):
        plain.resolved_model.build(7)
    words = [
        f"data=ham10000:{ham}",
        *SMALL,
        "model.attention=gate",
        "attention_prior=lesion",
        "data.mask_dir=nowhere",
    ]
    with pytest.raises(DataError, match="no folder of masks nowhere"):
        set_up_run(load_recipe(recipe, words))
