"""Splits of a file: used exactly, or an error."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.splits.base import SplitCaveat
from lesionlens.datasets.splits.from_file import splits_from_csv
from lesionlens.datasets.table import LesionTable

MakeTable = Callable[..., LesionTable]


@pytest.mark.parametrize("column", ["split", "part"])
def test_split_of_a_file_is_used(make_table: MakeTable, tmp_path: Path, column: str) -> None:
    table = make_table(40)
    ids = [*table.frame["image_id"], "elsewhere"]
    file = tmp_path / "folds.csv"
    pd.DataFrame({"image_id": ids, column: [f"cv{n % 3}" for n in range(len(ids))]}).to_csv(file, index=False)
    split = splits_from_csv(table, file, val_split_name="cv0", test_split_name="cv2")
    assert split.splits["train"] == tuple(ids[1:-1:3])
    assert split.splits["test"] == tuple(ids[2:-1:3])
    assert SplitCaveat("not in the table: 1 image of folds.csv") in split.caveats


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,fold\ni0,1\n", "required: image_id, split"),
        ("image_id,split\ni0,cv1\n", "no split 'cv0'.*it has cv1"),
        ("image_id,split\ni0,cv0\n", "no split in"),
        ("image_id,split\ni0,cv0\ni0,cv1\n", "names two splits for 1 image, for example i0"),
        ("image_id,split\ni0,cv0\ni1,\n", "names no split for i1"),
        ("image_id,split\n", "no rows below its header"),
    ],
)
def test_invalid_file_raises(make_table: MakeTable, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        splits_from_csv(make_table(10), tmp_path / "split.csv", val_split_name="cv0", test_split_name="test")


def test_file_without_test_split_cannot_select_on_it(make_table: MakeTable, tmp_path: Path) -> None:
    file = tmp_path / "split.csv"
    ids = make_table(10).frame["image_id"]
    file.write_text("\n".join(["image_id,split", *(f"{image},cv{n % 2}" for n, image in enumerate(ids))]))
    with pytest.raises(
        DataError,
        match=r"no split 'test' to test and select checkpoints on; it has cv0, cv1.*data\.test_split_name",
    ):
        splits_from_csv(
            make_table(10), file, val_split_name="cv0", test_split_name="test", checkpoint_split="test"
        )
    split = splits_from_csv(
        make_table(10), file, val_split_name="none", test_split_name="cv1", checkpoint_split="test"
    )
    assert split.splits["validation"] == split.splits["test"] == tuple(ids[1::2])
