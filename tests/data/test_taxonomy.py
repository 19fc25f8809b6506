"""Names, codes and spellings of the diagnoses; tasks map every diagnosis exactly once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionlens.data.taxonomy import (
    DIAGNOSES,
    ISIC2017_CLASSES,
    ISIC2018_CLASSES,
    canonical,
    in_order,
    task,
)
from lesionlens.errors import DataError

NAMES = st.sampled_from(list(DIAGNOSES))
SPELLINGS = [(spelling, name) for name, it in DIAGNOSES.items() for spelling in (name, it.code, *it.aliases)]


@given(st.sampled_from(SPELLINGS), st.sampled_from([str.upper, str.lower, str.title]), st.sampled_from(" -_"))
def test_case_spaces_and_hyphens_do_not_matter(pair: tuple[str, str], case, joint: str) -> None:
    spelling, name = pair
    assert canonical(f"  {case(spelling).replace('_', joint).replace(' ', joint)} ") == name


def test_no_spelling_means_two_diagnoses() -> None:
    plain = [spelling.casefold().replace("-", " ").replace("_", " ") for spelling, _ in SPELLINGS]
    assert len(set(plain)) == len(plain)


def test_codes_are_those_of_the_challenge_in_its_order() -> None:
    assert [DIAGNOSES[name].code for name in ISIC2018_CLASSES] == [
        "MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC",
    ]  # fmt: skip
    assert in_order(ISIC2017_CLASSES) == ISIC2017_CLASSES


@given(st.text())
def test_any_text_is_a_diagnosis_or_a_data_error(text: str) -> None:
    known = {spelling.casefold() for spelling, _ in SPELLINGS}
    try:
        name = canonical(text)
    except DataError:
        assert text.casefold() not in known
    else:
        assert name in DIAGNOSES


@pytest.mark.parametrize("finer", ["solar lentigo", "blue nevus", "benign", "", "nan"])
def test_what_is_finer_or_coarser_is_no_alias(finer: str) -> None:
    with pytest.raises(DataError, match="unknown diagnosis"):
        canonical(finer)


@given(st.lists(NAMES, min_size=2, unique=True), st.data())
def test_one_against_the_rest_agrees_with_comparing_names(classes: list[str], data: st.DataObject) -> None:
    sought = data.draw(st.sampled_from(classes))
    asked = task(DIAGNOSES[sought].code.lower(), classes)
    labels = data.draw(st.lists(st.sampled_from(classes)))
    assert asked.classes == ("other", sought)
    np.testing.assert_array_equal(asked.targets(labels), [int(label == sought) for label in labels])


@given(st.lists(NAMES, min_size=2, unique=True), st.data())
def test_all_keeps_every_class_in_its_place(classes: list[str], data: st.DataObject) -> None:
    asked = task("all", classes)
    labels = data.draw(st.lists(st.sampled_from(classes)))
    targets = asked.targets(labels)
    assert targets.dtype == np.int64
    assert [asked.classes[index] for index in targets] == labels
    assert asked.classes == tuple(classes)


def test_a_class_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(DataError, match=r"unknown task 'dermatofibroma'.*Allowed: all, melanoma, nevus"):
        task("dermatofibroma", ["melanoma", "nevus"])
    with pytest.raises(DataError, match="two classes or more"):
        task("all", ["melanoma"])
    with pytest.raises(DataError, match="diagnosis in the task"):
        task("all", ["melanoma", "nevus"]).targets(["dermatofibroma"])


def test_classes_of_ones_own_may_be_called_anything() -> None:
    assert task("wart", ["corn", "wart"]).classes == ("other", "wart")
    assert task("other", ["other", "wart"]).classes == ("rest", "other")
