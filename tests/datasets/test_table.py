"""The table keeps its promises, cannot be changed, and tells two data sets apart."""

import pickle
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.table import TABLE_COLUMNS, LesionTable


@pytest.fixture
def frame(tmp_path: Path, draw) -> pd.DataFrame:
    rows = pd.DataFrame({name: [""] * 4 for name in TABLE_COLUMNS}, dtype="str")
    rows["image_id"] = ["a", "b", "c", "d"]
    rows["path"] = [str(draw(tmp_path / f"{name}.png", seed=i)) for i, name in enumerate("abcd")]
    rows["diagnosis"] = ["nevus", "melanoma", "melanoma", "nevus"]
    rows["lesion_id"] = ["1", "2", "2", "d"]
    rows["patient_id"] = ["", "p", "", "p"]
    rows["age"] = [np.nan, 50.0, 50.0, 1.0]
    rows["split"] = ["train", "test", "test", ""]
    return rows


@pytest.fixture
def table(tmp_path: Path, frame: pd.DataFrame) -> LesionTable:
    return LesionTable("mine", tmp_path, frame, ("melanoma", "nevus", "dermatofibroma"))


def test_neither_the_given_nor_the_returned_frame_changes_the_table(
    table: LesionTable, frame: pd.DataFrame
) -> None:
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
    ("column", "value", "said"),
    [
        ("image_id", "b", "a unique image_id"),
        ("image_id", "", "a unique image_id"),
        ("lesion_id", "", "needs a lesion_id"),
        ("diagnosis", "wart", "unknown diagnosis 'wart'"),
        ("split", "fold", "unknown split 'fold'"),
        ("sex", None, "unknown text"),
    ],
)
def test_rows_that_break_a_promise_are_refused(
    tmp_path: Path, frame: pd.DataFrame, column: str, value: str | None, said: str
) -> None:
    frame.loc[0, column] = value
    with pytest.raises(DataError, match=said):
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


def test_select_keeps_the_order_asked_for_and_knows_its_ids(table: LesionTable) -> None:
    chosen = table.select(["d", "a"])
    assert chosen.frame["image_id"].tolist() == ["d", "a"]
    assert (chosen.classes, len(chosen), chosen.root) == (table.classes, 2, table.root)
    assert len(table.select([])) == 0
    with pytest.raises(DataError, match=r"2 of 3 images are not in mine:.*for example x, y"):
        table.select(["x", "a", "y"])
    with pytest.raises(DataError, match="a unique image_id"):
        table.select(["a", "a"])


def test_groups_are_patients_where_known_on_any_row_of_the_lesion(table: LesionTable) -> None:
    assert table.group_ids.tolist() == ["1", "patient:p", "patient:p", "patient:p"]


def test_fingerprint_ignores_order_and_sees_labels_lesions_parts_and_files(
    table: LesionTable, tmp_path: Path, draw
) -> None:
    before = table.fingerprint()
    assert len(before) == 64
    assert table.select(["d", "b", "a", "c"]).fingerprint() == before
    seen = {before, table.select(["a", "b"]).fingerprint()}
    mask = draw(tmp_path / "mask.png", size=(9, 9))
    for column, value in (
        ("diagnosis", "melanoma"), ("lesion_id", "9"), ("split", "validation"), ("diagnosis_method", "histo"),
        ("mask_path", str(mask)),
    ):  # fmt: skip
        changed = table.frame
        changed.loc[0, column] = value
        seen.add(replace(table, frame=changed).fingerprint())
    draw(table.paths[0], size=(30, 30))
    seen.add(table.fingerprint())
    assert len(seen) == 8
    table.paths[0].unlink()
    with pytest.raises(DataError, match="can no longer be read"):
        table.fingerprint()


def test_a_table_travels_to_another_process(table: LesionTable) -> None:
    again = pickle.loads(pickle.dumps(table))
    pd.testing.assert_frame_equal(again.frame, table.frame)
