"""Extra sources: new images are added to the training split, others are excluded with a reason."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.extra_sources import add_extra_training_images
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.table import TABLE_COLUMNS, LesionTable


def write_image(path: Path, seed: int, *, mirrored: bool = False) -> None:
    noise = np.random.default_rng(seed).normal(128, 45, (12, 16, 3)).clip(0, 255).astype(np.uint8)
    image = cv2.resize(noise, (160, 120), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(path), image[:, ::-1] if mirrored else image)


def make_table(
    folder: Path, ids: Sequence[str], *, seed: int, diagnosis: str = "nevus", part: str = ""
) -> LesionTable:
    """Write one image per row, with increasing seeds."""
    folder.mkdir()
    for index, name in enumerate(ids):
        write_image(folder / f"{name}.jpg", seed + index)
    frame = pd.DataFrame(dict.fromkeys(TABLE_COLUMNS, "") | {"image_id": list(ids), "age": np.nan})
    frame["path"] = [str(folder / f"{name}.jpg") for name in ids]
    frame["lesion_id"], frame["diagnosis"], frame["split"] = frame["image_id"], diagnosis, part
    frame["source"] = folder.name
    return LesionTable(folder.name, folder, frame, (diagnosis,))


SPLIT = DatasetSplits({"train": ("a", "b"), "validation": ("c",), "test": ("d",)}, "custom", ())


def test_new_images_are_trained_and_duplicates_are_not(tmp_path: Path) -> None:
    base = make_table(tmp_path / "base", "abcd", seed=0, part="train")
    extra = make_table(tmp_path / "extra", ["e", "f", "g", "h", "i", "d"], seed=50)
    tested = make_table(tmp_path / "tested", ["j"], seed=60, part="test")
    write_image(tmp_path / "extra" / "f.jpg", 3)  # the same bytes as d
    write_image(tmp_path / "extra" / "g.jpg", 0, mirrored=True)  # a, mirrored
    write_image(tmp_path / "extra" / "h.jpg", 50)  # the same bytes as e
    (tmp_path / "extra" / "i.jpg").write_text("no image")
    extended = add_extra_training_images(base, SPLIT, [extra, tested])
    reasons = dict(extended.excluded)
    assert extended.splits.splits == {"train": ("a", "b", "e"), "validation": ("c",), "test": ("d",)}
    assert (
        extended.splits.description
        == "custom; 1 extra image (1 nevus) of extra, tested in the training split"
    )
    assert extended.splits.extra_train == {"nevus": 1}
    assert list(reasons) == ["f", "g", "h", "i", "d", "j"]
    assert reasons["j"] == "in the official test split of its dataset, which never trains"
    assert reasons["f"] == "the same file as d"
    assert reasons["g"].startswith("a near-duplicate (")
    assert reasons["g"].endswith(") of a")
    assert reasons["h"] == "the same file as e"
    assert reasons["i"].startswith("cannot be read: ")
    assert reasons["d"] == "another image has the id d"
    assert extended.splits.excluded == extended.excluded
    assert extended.table.frame["image_id"].tolist() == ["a", "b", "c", "d", "e"]
    assert extended.table.frame["split"].tolist()[-1] == "train"
    assert extended.table.frame["source"].tolist()[-1] == "extra"


def test_lesions_and_patients_of_the_test_split_are_not_trained(tmp_path: Path) -> None:
    base, extra = (
        make_table(tmp_path / "base", "abcd", seed=0),
        make_table(tmp_path / "extra", "efgh", seed=50),
    )
    frame = base.frame
    frame["patient_id"] = ["p1", "", "", "p4"]
    base = LesionTable("base", tmp_path, frame, base.classes)
    frame = extra.frame
    frame["lesion_id"], frame["patient_id"] = ["c", "a", "x", "y"], ["", "", "p4", "p1"]
    extended = add_extra_training_images(base, SPLIT, [LesionTable("extra", tmp_path, frame, base.classes)])
    assert dict(extended.excluded) == {
        "e": "shows lesion c, which is in the validation, calibration or test split",
        "g": "is of patient p4, who is in the validation, calibration or test split",
    }
    assert extended.splits.splits["train"] == ("a", "b", "f", "h")


def test_extra_tables_are_compared_with_each_other(tmp_path: Path) -> None:
    base = make_table(tmp_path / "base", "abcd", seed=0)
    extras = [make_table(tmp_path / name, [name], seed=70) for name in ("one", "two")]
    extended = add_extra_training_images(base, SPLIT, extras)
    assert extended.excluded == (("two", "the same file as one"),)


def test_class_missing_from_the_table_is_named(tmp_path: Path) -> None:
    base = make_table(tmp_path / "base", "abcd", seed=0)
    extra = make_table(tmp_path / "other", "e", seed=9, diagnosis="melanoma")
    with pytest.raises(DataError, match=r"extra images of other:.*unknown class 'melanoma'.*Allowed: nevus"):
        add_extra_training_images(base, SPLIT, [extra])


def test_damaged_image_of_the_table_raises(tmp_path: Path) -> None:
    base, extra = make_table(tmp_path / "base", "abcd", seed=0), make_table(tmp_path / "other", "e", seed=9)
    (tmp_path / "base" / "b.jpg").write_text("no image")
    with pytest.raises(DataError, match=r"b\.jpg is not a usable image.*Image b cannot be compared"):
        add_extra_training_images(base, SPLIT, [extra])


def test_without_extra_sources_nothing_changes(tmp_path: Path) -> None:
    base = make_table(tmp_path / "base", "abcd", seed=0)
    extended = add_extra_training_images(base, SPLIT, [])
    assert extended.splits == SPLIT
    pd.testing.assert_frame_equal(extended.table.frame, base.frame)


def test_images_excluded_by_the_extra_reader_are_reported(tmp_path: Path) -> None:
    base, extra = make_table(tmp_path / "base", "abcd", seed=0), make_table(tmp_path / "other", "e", seed=9)
    extra = LesionTable("other", tmp_path, extra.frame, extra.classes, ("rows without an image: 2",))
    extended = add_extra_training_images(base, SPLIT, [extra])
    assert extended.table.warnings == (f"other:{tmp_path}: rows without an image: 2",)
