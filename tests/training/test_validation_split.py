"""Validation of one class is an error before the first epoch if its AUC is needed; runs without a test split."""

import re
from pathlib import Path

import pandas as pd
import pytest

from lesionlens.core.errors import DataError
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import RunDir
from lesionlens.training.resolve import resolve
from lesionlens.training.run import train
from lesionlens.training.setup import RunSetup, set_up_run

from ..helpers.images import write_image

TINY = ["model.backbone=test_resnet", "model.input_size=64", "train.device=cpu", "data.cache=none"]
MEL_NV, OWN, YES = ("melanoma", "nevus"), ("wart", "cyst", "mole"), ("yes", "no")


def overrides(
    folder: Path, classes: tuple[str, ...], validation: tuple[str, ...], more: list[str]
) -> list[str]:
    """Write a table of 12 images per class, of which those of ``validation`` have validation images."""
    rows = []
    for n in range(12 * len(classes)):
        label, number = classes[n % len(classes)], n // len(classes)
        split = "validation" if label in validation and number < 4 else "train"
        rows.append((write_image(folder / f"{n:02d}.png", seed=n).name, label, split))
    pd.DataFrame(rows, columns=["image", "label", "split"]).to_csv(folder / "t.csv", index=False)
    listed = f"data.classes=[{','.join(classes)}]"
    return [*TINY, f"data=table:{folder / 't.csv'}", f"data.split={folder / 't.csv'}", listed, *more]


def set_up(*arguments: object) -> RunSetup:
    return set_up_run(resolve(load_recipe("plain", overrides(*arguments))))


@pytest.mark.parametrize(
    ("classes", "validation", "more", "only"),
    [
        (MEL_NV, ("nevus",), [], "nevus"),
        (MEL_NV, ("melanoma",), [], "melanoma"),
        (OWN, ("cyst",), [], "cyst"),
        (OWN, ("wart", "cyst"), ["data.task=mole"], "other"),
        (OWN, ("wart", "mole"), ["data.task=wart/cyst"], "wart"),
        (YES, ("no",), ["train.early_stopping.patience=3"], "no"),
    ],
)
def test_one_class_in_validation_is_an_error(
    tmp_path: Path, classes: tuple[str, ...], validation: tuple[str, ...], more: list[str], only: str
) -> None:
    message = f"only images of {only}, so val_auc is undefined in every epoch. Set train.monitor=val_loss"
    with pytest.raises(DataError, match=message):
        set_up(tmp_path, classes, validation, more)


def test_the_error_precedes_the_run_directory(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="or add images of other classes to the split"):
        train("plain", overrides(tmp_path, MEL_NV, ("nevus",), []), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "keys"),
    [
        (
            ["train.early_stopping.patience=3"],
            "train.monitor=val_loss and train.early_stopping.monitor=val_loss",
        ),
        (
            ["train.checkpoint=last", "train.early_stopping.patience=3"],
            "Set train.early_stopping.monitor=val_loss, or add",
        ),
        ([], "Set train.monitor=val_loss or train.checkpoint=last, or add"),
    ],
)
def test_the_error_names_the_keys_to_set(tmp_path: Path, more: list[str], keys: str) -> None:
    with pytest.raises(DataError, match=re.escape(keys)):
        set_up(tmp_path, MEL_NV, ("nevus",), more)


@pytest.mark.parametrize(
    ("classes", "validation", "more"),
    [
        (MEL_NV, ("nevus",), ["train.monitor=val_loss"]),
        (MEL_NV, ("nevus",), ["train.checkpoint=last"]),
        (MEL_NV, ("nevus",), ["train.monitor=val_loss", "train.early_stopping.patience=3"]),
        (MEL_NV, MEL_NV, []),
        (OWN, ("wart", "mole"), []),
        (OWN, ("wart", "mole"), ["data.task=mole"]),
    ],
)
def test_runs_that_need_no_auc_or_have_one_start(
    tmp_path: Path, classes: tuple[str, ...], validation: tuple[str, ...], more: list[str]
) -> None:
    assert len(set_up(tmp_path, classes, validation, more).targets("validation")) == 4 * len(validation)


def test_a_run_without_a_test_split_is_evaluated_on_validation(tmp_path: Path) -> None:
    small = ["train.epochs=1", "model.input_size=32", "train.precision=fp32", "train.compile=off"]
    path = train("plain", overrides(tmp_path, MEL_NV, MEL_NV, small), out=tmp_path / "run")
    run = RunDir(path)
    assert [file.name for file in sorted(run.evaluation("validation").parent.glob("*.json"))] == [
        "validation.json"
    ]
    assert "There is no test split" in (path / "report.html").read_text(encoding="utf-8")
