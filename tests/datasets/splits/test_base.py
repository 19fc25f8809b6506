"""Split fractions and class proportions; errors and caveats for small tables."""

from collections.abc import Callable

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.splits.strategies import group_holdout
from lesionlens.datasets.table import LesionTable

MakeTable = Callable[..., LesionTable]


def test_fractions_and_classes_are_in_proportion(make_table: MakeTable) -> None:
    table = make_table(400)
    split = group_holdout(table, val_fraction=0.2, test_fraction=0.2, seed=1)
    assert len(split.splits["test"]) / len(table) == pytest.approx(0.2, abs=0.03)
    assert len(split.splits["validation"]) / len(table) == pytest.approx(0.2, abs=0.03)
    expected = table.frame["diagnosis"].value_counts(normalize=True)
    for ids in split.splits.values():
        actual = table.select(ids).frame["diagnosis"].value_counts(normalize=True)
        assert (actual - expected).abs().max() < 0.05
    assert split.caveats == ()


def test_too_few_lesions_raise(make_table: MakeTable) -> None:
    with pytest.raises(DataError, match="too few to hold out 10%: 3 lesions are too few for 4 folds"):
        group_holdout(make_table(3), val_fraction=0.1, test_fraction=0.1, seed=0)


def test_no_class_with_enough_images_raises(make_rows: MakeTable) -> None:
    labels = ["melanoma", "nevus", "benign_keratosis"]
    table = make_rows([f"l{n}" for n in range(6)], labels * 2)
    with pytest.raises(
        DataError,
        match=r"no class has an image for each of 4 folds \(the largest has 2\).*or hold out a larger fraction",
    ):
        group_holdout(table, val_fraction=0.2, test_fraction=0.2, seed=0)


@pytest.mark.parametrize(
    ("images", "fraction", "held_out"), [(8, 0.15, 2), (10, 0.15, 2), (8, 0.05, 2), (12, 0.1, 2)]
)
def test_of_few_images_one_of_each_class_is_held_out(
    make_rows: MakeTable, images: int, fraction: float, held_out: int
) -> None:
    table = make_rows([f"l{n}" for n in range(images)], ["melanoma", "nevus"] * (images // 2))
    split = group_holdout(table, val_fraction=fraction, test_fraction=0, seed=0)
    validation = table.select(split.splits["validation"]).frame["diagnosis"].tolist()
    assert sorted(validation) == ["melanoma", "nevus"]
    assert len(split.splits["train"]) == images - held_out
    assert any("are held out for validation" in caveat.text for caveat in split.caveats) == (
        held_out / images > 1.5 * fraction
    )


def test_class_of_one_image_is_reported_missing_elsewhere(make_rows: MakeTable) -> None:
    table = make_rows([f"l{n}" for n in range(41)], ["melanoma", "nevus"] * 20 + ["benign_keratosis"])
    split = group_holdout(table, val_fraction=0.2, test_fraction=0.2, seed=0)
    reported = [remark.text for remark in split.caveats if "no image of benign_keratosis" in remark.text]
    assert len(reported) == 2
    assert sum(len(ids) for ids in split.splits.values()) == 41


def test_class_absent_from_the_table_is_not_reported(make_rows: MakeTable) -> None:
    table = make_rows([f"l{n}" for n in range(20)], ["melanoma", "nevus"] * 10)
    split = group_holdout(table, val_fraction=0.2, test_fraction=0.2, seed=0)
    assert not any("has no image of" in remark.text for remark in split.caveats)


def test_more_than_half_may_be_held_out(make_table: MakeTable) -> None:
    table = make_table(400)
    split = group_holdout(table, val_fraction=0.1, test_fraction=0.75, seed=1)
    assert len(split.splits["test"]) / len(table) == pytest.approx(0.75, abs=0.03)
    assert sum(map(len, split.splits.values())) == len(table)
    assert split.caveats == ()


def test_description_reports_the_actual_fractions(make_table: MakeTable) -> None:
    table = make_table(400)
    split = group_holdout(table, val_fraction=0.1, test_fraction=0.4, seed=1)
    rest = len(split.splits["train"]) + len(split.splits["validation"])
    assert f"{len(split.splits['test']) / len(table):.0%} for testing" in split.description
    assert f"{len(split.splits['validation']) / rest:.0%} of training held out by lesion" in split.description
    assert "40%" not in split.description
