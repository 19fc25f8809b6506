"""No lesion on two sides; classes in proportion; files and official parts as they say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionlens.data.splits import from_file, grouped, official
from lesionlens.data.table import COLUMNS, LesionTable
from lesionlens.errors import DataError


def table(lesions: int, *, seed: int = 0, parts: list[str] | None = None) -> LesionTable:
    """Make a table with one to three images a lesion."""
    rng = np.random.default_rng(seed)
    lesion = np.repeat(np.arange(lesions), rng.integers(1, 4, lesions))
    diagnosis = np.array(["melanoma", "nevus", "nevus", "benign_keratosis"])[lesion % 4]
    frame = pd.DataFrame(
        dict.fromkeys(COLUMNS, "") | {"image_id": [f"i{n}" for n in range(len(lesion))], "age": np.nan}
    )
    frame["lesion_id"], frame["diagnosis"] = [f"l{n}" for n in lesion], diagnosis
    frame["part"] = parts or ""
    return LesionTable("made", Path(), frame, ("melanoma", "nevus", "benign_keratosis"))


@settings(max_examples=25)
@given(lesions=st.integers(30, 120), seed=st.integers(0, 999))
def test_no_lesion_is_on_two_sides(lesions: int, seed: int) -> None:
    made = table(lesions, seed=seed)
    split = grouped(made, validation=0.2, test=0.2, seed=seed)
    lesion = dict(zip(made.frame["image_id"], made.frame["lesion_id"], strict=True))
    sides = [{lesion[image] for image in ids} for ids in split.parts.values()]
    assert sum(len(side) for side in sides) == len(set.union(*sides)) == lesions
    assert sum(len(ids) for ids in split.parts.values()) == len(made)


def test_shares_and_classes_are_in_proportion() -> None:
    made = table(400)
    split = grouped(made, validation=0.2, test=0.2, seed=1)
    assert len(split.parts["test"]) / len(made) == pytest.approx(0.2, abs=0.03)
    assert len(split.parts["validation"]) / len(made) == pytest.approx(0.2, abs=0.03)
    whole = made.frame["diagnosis"].value_counts(normalize=True)
    for ids in split.parts.values():
        there = made.select(ids).frame["diagnosis"].value_counts(normalize=True)
        assert (there - whole).abs().max() < 0.05
    assert split.remarks == ()


def test_the_same_seed_gives_the_same_split() -> None:
    made = table(60)
    assert grouped(made, validation=0.2, test=0.2, seed=4) == grouped(made, validation=0.2, test=0.2, seed=4)
    assert grouped(made, validation=0.2, test=0.2, seed=4) != grouped(made, validation=0.2, test=0.2, seed=5)


def test_official_parts_are_kept_and_a_missing_test_is_said() -> None:
    made = table(40)
    parts = ["train" if n % 5 else "validation" for n in range(len(made))]
    split = official(table(40, parts=parts), validation=0.2, seed=0)
    assert len(split.parts["validation"]) == parts.count("validation")
    assert any("no test part" in remark for remark in split.remarks)
    assert any("more than one part" in remark for remark in split.remarks)  # lesions were cut through


def test_official_without_validation_cuts_it_by_lesion() -> None:
    made = table(80)
    split = official(table(80, parts=["train"] * len(made)), validation=0.25, seed=0)
    assert set(split.parts) == {"train", "validation"}
    assert not any("more than one part" in remark for remark in split.remarks)


def test_a_file_is_followed_and_written_back(tmp_path: Path) -> None:
    made = table(40)
    ids = made.frame["image_id"]
    file = tmp_path / "folds.csv"
    pd.DataFrame({"image_id": ids, "part": [f"cv{n % 3}" for n in range(len(ids))]}).to_csv(file, index=False)
    split = from_file(made, file, validation="cv0", test="cv2")
    assert split.parts["train"] == tuple(ids[1::3])
    assert split.parts["test"] == tuple(ids[2::3])
    split.save(tmp_path / "again.csv")
    again = from_file(made, tmp_path / "again.csv", validation="validation", test="test")
    assert dict(again.parts) == dict(split.parts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,fold\ni0,1\n", "needed: image_id, part"),
        ("image_id,part\ni0,cv1\n", "no part 'cv0'.*it has cv1"),
        ("image_id,part\ni0,cv0\n", "have no part in"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        from_file(table(10), tmp_path / "split.csv", validation="cv0", test="test")


def test_too_few_lesions_are_refused() -> None:
    with pytest.raises(DataError, match="too few to hold out"):
        grouped(table(3), validation=0.1, test=0.1, seed=0)


def test_a_set_without_official_parts_says_what_to_use() -> None:
    with pytest.raises(DataError, match=r"data\.split=grouped"):
        official(table(10), validation=0.2, seed=0)
