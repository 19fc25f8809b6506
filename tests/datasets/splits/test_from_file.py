"""Splits of a file: used exactly, or an error."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.split_names import SplitNames
from lesionlens.datasets.splits.base import SplitCaveat
from lesionlens.datasets.splits.from_file import splits_from_csv
from lesionlens.datasets.table import LesionTable

MakeTable = Callable[..., LesionTable]


@pytest.mark.parametrize("column", ["split", "part", "Subset"])
def test_split_of_a_file_is_used(make_table: MakeTable, tmp_path: Path, column: str) -> None:
    table = make_table(40)
    ids = [*table.frame["image_id"], "elsewhere"]
    names = {0: "Training", 1: "VAL", 2: "testing "}
    file = tmp_path / "split.csv"
    pd.DataFrame({"image_id": ids, column: [names[n % 3] for n in range(len(ids))]}).to_csv(file, index=False)
    split = splits_from_csv(table, file, SplitNames())
    assert split.splits["train"] == tuple(ids[:-1:3])
    assert split.splits["validation"] == tuple(ids[1:-1:3])
    assert split.splits["test"] == tuple(ids[2:-1:3])
    assert SplitCaveat("not in the table: 1 image of split.csv") in split.caveats
    assert (
        split.description == "split.csv: 'VAL' for validation, 'testing' for testing, 'Training' for training"
    )


FOLDS = ("cv0", "cv1", "cv2", "cv3")


def write_folds(file: Path, table: LesionTable) -> list[str]:
    ids = list(table.frame["image_id"])
    file.write_text("\n".join(["image_id,split", *(f"{name},{FOLDS[n % 4]}" for n, name in enumerate(ids))]))
    return ids


def test_folds_of_a_file_train_only_if_named(make_table: MakeTable, tmp_path: Path) -> None:
    table, file = make_table(40), tmp_path / "folds.csv"
    ids = write_folds(file, table)
    with pytest.raises(
        DataError, match=r"no split: 'cv1' \(\d+ images\), 'cv3' \(\d+ images\).*train_split_names"
    ):
        splits_from_csv(table, file, SplitNames(validation="cv0", test="cv2"))
    split = splits_from_csv(table, file, SplitNames(train=("cv1", "CV3"), validation="cv0", test="cv2"))
    assert set(split.splits["train"]) == {*ids[1::4], *ids[3::4]}
    assert split.splits["test"] == tuple(ids[2::4])


@pytest.mark.parametrize(
    "spelling", ["testing", "Test", "test_set", "TEST SET", "hold-out", "tst", "\u00a0test", "te"]
)
def test_every_spelling_of_the_test_split_is_known(
    make_table: MakeTable, tmp_path: Path, spelling: str
) -> None:
    table, file = make_table(10), tmp_path / "split.csv"
    ids = list(table.frame["image_id"])
    cells = ["train", "val", spelling]
    file.write_text("\n".join(["image_id,split", *(f"{name},{cells[n % 3]}" for n, name in enumerate(ids))]))
    assert splits_from_csv(table, file, SplitNames()).splits["test"] == tuple(ids[2::3])


@pytest.mark.parametrize(
    "name", ["external", "test 2", "excluded", "train/test", "dev set 1", "validation or test"]
)
def test_unknown_split_names_raise_with_counts(make_table: MakeTable, tmp_path: Path, name: str) -> None:
    table, file = make_table(10), tmp_path / "split.csv"
    ids = list(table.frame["image_id"])
    cells = ["train", "val", "train", name]
    file.write_text("\n".join(["image_id,split", *(f"{row},{cells[n % 4]}" for n, row in enumerate(ids))]))
    with pytest.raises(DataError, match=rf"no split: '{name}' \({len(ids[3::4])} images\)"):
        splits_from_csv(table, file, SplitNames())


@pytest.mark.parametrize("written", ["{}.jpg", "{}.JPEG", "images/{}.png", "C:\\data\\{}.tif"])
def test_images_of_a_file_match_with_extension_or_directory(
    make_table: MakeTable, tmp_path: Path, written: str
) -> None:
    table, file = make_table(10), tmp_path / "split.csv"
    ids = list(table.frame["image_id"])
    rows = [f"{written.format(name)},{('train', 'val')[n % 2]}" for n, name in enumerate(ids)]
    file.write_text("\n".join(["image,split", *rows]))
    assert splits_from_csv(table, file, SplitNames()).splits["train"] == tuple(ids[::2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,fold\ni0,1\n", "required: image_id, split"),
        ("image_id,split\ni0,cv1\n", "images have no split in .*the file names images such as i0"),
        (
            "image_id,split\ni00,cv0\n",
            r"such as i00\).*A row is named i00, an image i0\. Leading zeros may have",
        ),
        ("image_id,split\nx0,cv0\n", "images have no split in .*the file names images such as x0"),
        ("image_id,split\ni0,cv0\ni0,cv1\n", "names two splits for 1 image, for example i0"),
        ("image_id,split\ni0,cv0\ni0.jpg,cv1\n", "names two splits for 1 image, for example i0"),
        ("image_id,split\ni0,cv0\ni1,\n", "names no split for 1 image, for example i1"),
        ("image_id,split\ni0,cv0\ni1,N/A\n", "names no split for 1 image, for example i1"),
        ("image_id,split\n", "no rows below its header"),
        (
            "image_id,split,part\ni0,train,test\ni1,test,test\ni2,train,train\n",
            "split and part assign different",
        ),
    ],
)
def test_invalid_split_file_error_states_the_problem(
    make_table: MakeTable, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        splits_from_csv(make_table(10), tmp_path / "split.csv", SplitNames(validation="cv0"))


def test_one_name_for_two_splits_raises(make_table: MakeTable, tmp_path: Path) -> None:
    write_folds(tmp_path / "folds.csv", make_table(10))
    with pytest.raises(DataError, match="'cv0' is given as the name of two splits"):
        splits_from_csv(
            make_table(10), tmp_path / "folds.csv", SplitNames(train=("cv1", "cv0"), validation="cv0")
        )


def test_checkpoint_selection_requires_the_test_split(make_table: MakeTable, tmp_path: Path) -> None:
    file = tmp_path / "split.csv"
    ids = write_folds(file, make_table(10))
    names = SplitNames(train=("cv0", "cv1", "cv2", "cv3"))
    with pytest.raises(
        DataError,
        match=r"no split 'test' to test and select checkpoints on; it has cv0, cv1.*data\.test_split_name",
    ):
        splits_from_csv(make_table(10), file, names, checkpoint_split="test")
    names = SplitNames(train=("cv0", "cv2", "cv3"), test="cv1")
    split = splits_from_csv(make_table(10), file, names, checkpoint_split="test")
    assert split.splits["validation"] == split.splits["test"] == tuple(ids[1::4])
