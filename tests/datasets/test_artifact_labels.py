from pathlib import Path

import numpy as np
import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.artifact_labels import read_artifact_labels


def write_labels(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return path


def test_labels_follow_the_rows_of_the_table(tmp_path: Path) -> None:
    text = "image,Ruler,gel bubbles,diagnosis\nb.jpg,1,no\x2cnevus\nz,1,1,nevus\na,,Yes,nevus\n"
    labels = read_artifact_labels(write_labels(tmp_path, text), ["a", "b", "c"])
    assert list(labels) == ["ruler", "gel_bubbles"]
    np.testing.assert_array_equal(labels["ruler"], [np.nan, 1, np.nan])
    np.testing.assert_array_equal(labels["gel_bubbles"], [1, 0, np.nan])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,ruler\na,2\n", "the column ruler contains '2'"),
        ("image_id,diagnosis\na,nevus\n", "one column of 0 and 1 per artifact"),
        ("name,ruler\na,1\n", "must have a column image_id"),
        ("image_id,ruler\nx,1\n", "has a label of none of the 2 images, for example a"),
        ("image_id,ruler,any\na,1,1\n", "the column any .*remove or rename"),
        ("image_id,ruler\na,1\na.jpg,0\n", "two rows of image a that differ in ruler"),
    ],
)
def test_file_that_cannot_be_used_raises(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_artifact_labels(write_labels(tmp_path, text), ["a", "b"])
