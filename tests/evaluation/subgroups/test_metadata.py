"""Columns of metadata, matched to images by name."""

import re
from pathlib import Path

import pytest

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.subgroups.metadata import (
    find_metadata_column,
    read_metadata_table,
    unknown_column_message,
)

from ...helpers.images import write_lines


def test_columns_are_matched_by_image(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "a.csv", "image,age_approximate,Sex,p_nevus", ["b.jpg,30,male,1", "a,40,,0"]
    )
    table = read_metadata_table(path, ["a", "b", "c"])
    assert list(table.columns) == ["image", "age_approximate", "Sex"]
    assert find_metadata_column("age", [table]) == ["40", "30", ""]
    assert find_metadata_column("sex", [table]) == ["", "male", ""]
    assert find_metadata_column("site", [table]) is None


def test_unknown_cells_are_filled_from_later_tables(tmp_path: Path) -> None:
    first = write_lines(tmp_path / "a.csv", "image_id,sex", ["a,male", "b,unknown"])
    second = write_lines(tmp_path / "b.csv", "image_id,gender", ["a,female", "b,female", "c,NA"])
    tables = [read_metadata_table(path, ["a", "b", "c"]) for path in (first, second)]
    assert find_metadata_column("sex", tables) == ["male", "female", "NA"]


def test_unknown_column_suggests_the_nearest(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "image_id,age_approx,anatom_site_general", ["a,30,back"])
    message = unknown_column_message("site_general", [read_metadata_table(path, ["a"])])
    assert message == (
        "--by: unknown column 'site_general': did you mean 'anatom_site_general'? Allowed: age_approx, "
        "anatom_site_general. Pass a table that has it: --metadata FILE"
    )


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (
            "name,sex",
            ["a,male"],
            "has no column image_id, so its rows belong to no image. Its columns: name, sex",
        ),
        ("image_id,sex", ["x,male"], "has no row for any of the 2 images, for example a"),
        ("image_id,sex", ["a,male", "a.jpg,female"], "has two rows of image a that differ in"),
    ],
)
def test_tables_of_other_images_are_errors(
    tmp_path: Path, header: str, rows: list[str], message: str
) -> None:
    with pytest.raises(PredictionsError, match=re.escape(message)):
        read_metadata_table(write_lines(tmp_path / "a.csv", header, rows), ["a", "b"])


def test_files_without_images_may_be_optional(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "ISIC_0000000,benign", ["ISIC_0000001,malignant"])
    assert list(read_metadata_table(path, ["a"], optional=True).columns) == []
