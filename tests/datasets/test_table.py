"""Lesion table: invariants, immutability, and a fingerprint of its content."""

import pickle
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.table import TABLE_COLUMNS, LesionTable


@pytest.fixture
def frame(tmp_path: Path, write_image) -> pd.DataFrame:
    rows = pd.DataFrame({name: [""] * 4 for name in TABLE_COLUMNS}, dtype="str")
    rows["image_id"] = ["a", "b", "c", "d"]
    rows["path"] = [str(write_image(tmp_path / f"{name}.png", seed=i)) for i, name in enumerate("abcd")]
    rows["diagnosis"] = ["nevus", "melanoma", "melanoma", "nevus"]
    rows["lesion_id"] = ["1", "2", "2", "d"]
    rows["patient_id"] = ["", "p", "", "p"]
    rows["age"] = [np.nan, 50.0, 50.0, 1.0]
    rows["split"] = ["train", "test", "test", ""]
    return rows


@pytest.fixture
def table(tmp_path: Path, frame: pd.DataFrame) -> LesionTable:
    return LesionTable("mine", tmp_path, frame, ("melanoma", "nevus", "dermatofibroma"))


def test_table_is_independent_of_input_and_returned_frames(table: LesionTable, frame: pd.DataFrame) -> None:
    before = table.fingerprint()
    frame.loc[0, "diagnosis"] = "melanoma"
    copy = table.frame
    copy.loc[:, "diagnosis"] = "melanoma"
    copy["age"].to_numpy(copy=True)[:] = 0
    copy.insert(0, "more", 1)
    assert table.class_counts() == {"melanoma": 2, "nevus": 2, "dermatofibroma": 0}
    assert table.fingerprint() == before
    with pytest.raises(FrozenInstanceError):
        table.frame = copy  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        table.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("image_id", "b", "a unique image_id"),
        ("image_id", "", "a unique image_id"),
        ("lesion_id", "", "needs a lesion_id"),
        ("diagnosis", "wart", "unknown diagnosis 'wart'"),
        ("split", "fold", "unknown split 'fold'"),
        ("sex", None, "unknown text"),
    ],
)
def test_invalid_rows_raise(
    tmp_path: Path, frame: pd.DataFrame, column: str, value: str | None, message: str
) -> None:
    frame.loc[0, column] = value
    with pytest.raises(DataError, match=message):
        LesionTable("mine", tmp_path, frame, ("melanoma", "nevus"))


def test_columns_ages_and_classes_are_checked(tmp_path: Path, frame: pd.DataFrame) -> None:
    classes = ("melanoma", "nevus")
    with pytest.raises(DataError, match="exactly"):
        LesionTable("mine", tmp_path, frame.assign(more=1), classes)
    with pytest.raises(DataError, match="exactly"):
        LesionTable("mine", tmp_path, frame[list(reversed(TABLE_COLUMNS))], classes)
    with pytest.raises(DataError, match="floating point"):
        LesionTable("mine", tmp_path, frame.assign(age="5"), classes)
    with pytest.raises(DataError, match="contain a duplicate"):
        LesionTable("mine", tmp_path, frame, (*classes, "nevus"))


def test_select_returns_rows_in_the_requested_order(table: LesionTable) -> None:
    selected = table.select(["d", "a"])
    assert selected.frame["image_id"].tolist() == ["d", "a"]
    assert (selected.classes, len(selected), selected.root) == (table.classes, 2, table.root)
    assert len(table.select([])) == 0
    with pytest.raises(DataError, match=r"2 of 3 images are not in mine:.*for example x, y"):
        table.select(["x", "a", "y"])
    with pytest.raises(DataError, match="a unique image_id"):
        table.select(["a", "a"])


def test_groups_are_patients_if_known_for_any_row_of_the_lesion(table: LesionTable) -> None:
    assert table.group_ids.tolist() == ["1", "patient:p", "patient:p", "patient:p"]


def test_lesion_named_as_a_patient_group_is_another_group(table: LesionTable) -> None:
    frame = table.frame
    frame.loc[0, "lesion_id"] = "patient:p"
    assert len(set(replace(table, frame=frame).group_ids)) == 2


def test_fingerprint_depends_on_content_and_not_on_order(
    table: LesionTable, tmp_path: Path, write_image
) -> None:
    before = table.fingerprint()
    assert len(before) == 64
    assert table.select(["d", "b", "a", "c"]).fingerprint() == before
    fingerprints = {before, table.select(["a", "b"]).fingerprint()}
    mask = write_image(tmp_path / "mask.png", size=(9, 9))
    for column, value in (
        ("diagnosis", "melanoma"), ("lesion_id", "9"), ("split", "validation"), ("diagnosis_method", "histo"),
        ("mask_path", str(mask)),
    ):  # fmt: skip
        changed = table.frame
        changed.loc[0, column] = value
        fingerprints.add(replace(table, frame=changed).fingerprint())
    write_image(table.paths[0], size=(30, 30))
    fingerprints.add(table.fingerprint())
    assert len(fingerprints) == 8
    table.paths[0].unlink()
    with pytest.raises(DataError, match="can no longer be read"):
        table.fingerprint()


def test_table_can_be_pickled(table: LesionTable) -> None:
    restored = pickle.loads(pickle.dumps(table))
    pd.testing.assert_frame_equal(restored.frame, table.frame)
