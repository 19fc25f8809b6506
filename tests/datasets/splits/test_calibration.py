"""The calibration split: by lesion, from the training images only."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.split_names import SplitNames
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.splits.calibration import hold_out_calibration
from lesionlens.datasets.splits.from_file import splits_from_csv
from lesionlens.datasets.splits.strategies import group_holdout
from lesionlens.datasets.table import LesionTable

MakeTable = Callable[..., LesionTable]


def test_calibration_takes_lesions_from_training_only(make_table: MakeTable) -> None:
    table = make_table(200)
    before = group_holdout(table, val_fraction=0.15, test_fraction=0.15, seed=0)
    after = hold_out_calibration(table, before, 0.2, seed=0)
    assert {*after.splits["train"], *after.splits["calibration"]} == set(before.splits["train"])
    assert {name: after.splits[name] for name in ("validation", "test")} == {
        name: before.splits[name] for name in ("validation", "test")
    }
    lesion = table.frame.set_index("image_id")["lesion_id"]
    assert not {*lesion[list(after.splits["train"])]} & {*lesion[list(after.splits["calibration"])]}
    fraction = len(after.splits["calibration"]) / len(before.splits["train"])
    assert fraction == pytest.approx(0.2, abs=0.05)
    assert "held out by lesion for calibration (seed 0)" in after.description


def test_calibration_is_stratified_and_seeded(make_table: MakeTable) -> None:
    table = make_table(200)
    before = group_holdout(table, val_fraction=0.15, test_fraction=0.15, seed=0)
    first, again, other = (hold_out_calibration(table, before, 0.2, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.splits["calibration"] != other.splits["calibration"]
    diagnosis = table.frame.set_index("image_id")["diagnosis"]
    held_out = diagnosis[list(first.splits["calibration"])].value_counts(normalize=True)
    everything = diagnosis[list(before.splits["train"])].value_counts(normalize=True)
    assert (held_out - everything).abs().max() < 0.08


def test_zero_and_existing_calibration_change_nothing(make_table: MakeTable) -> None:
    table = make_table(60)
    splits = group_holdout(table, val_fraction=0.15, test_fraction=0.15, seed=0)
    assert hold_out_calibration(table, splits, 0.0, seed=0) is splits
    declared = replace(splits, splits={**splits.splits, "calibration": ("x",)})
    assert hold_out_calibration(table, declared, 0.2, seed=0) is declared


def test_too_few_lesions_raise(make_rows: MakeTable) -> None:
    table = make_rows(["a", "b", "c"], ["nevus", "melanoma", "nevus"])
    splits = DatasetSplits({"train": ("i0",), "validation": ("i1",)}, "", ())
    with pytest.raises(DataError, match=r"no calibration split \(data.calibration=0.1\)"):
        hold_out_calibration(table, splits, 0.1, seed=0)


def test_split_file_may_contain_calibration(make_rows: MakeTable, tmp_path: Path) -> None:
    table = make_rows(list("abcd"), ["nevus", "melanoma"] * 2)
    file = tmp_path / "splits.csv"
    file.write_text("image_id,split\ni0,train\ni1,val\ni2,Calib\ni3,test\n")
    assert splits_from_csv(table, file, SplitNames()).splits == {
        "train": ("i0",),
        "validation": ("i1",),
        "calibration": ("i2",),
        "test": ("i3",),
    }
