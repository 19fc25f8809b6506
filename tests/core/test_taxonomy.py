"""Diagnoses: names, codes and spellings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionlens.core.errors import DataError
from lesionlens.core.taxonomy import (
    DIAGNOSES,
    ISIC2016_CLASSES,
    ISIC2017_CLASSES,
    ISIC2018_CLASSES,
    ISIC2019_CLASSES,
    canonical_name,
    match_class,
    sort_classes,
)

NAMES = st.sampled_from(list(DIAGNOSES))
SPELLINGS = [(spelling, name) for name, it in DIAGNOSES.items() for spelling in (name, it.code, *it.aliases)]

KNOWN = {spelling.casefold() for spelling, _ in SPELLINGS}


@given(st.sampled_from(SPELLINGS), st.sampled_from([str.upper, str.lower, str.title]), st.sampled_from(" -_"))
def test_case_spaces_and_hyphens_do_not_matter(pair: tuple[str, str], case, joint: str) -> None:
    spelling, name = pair
    assert canonical_name(f"  {case(spelling).replace('_', joint).replace(' ', joint)} ") == name


def test_no_spelling_means_two_diagnoses() -> None:
    normalized = [spelling.casefold().replace("-", " ").replace("_", " ") for spelling, _ in SPELLINGS]
    assert len(set(normalized)) == len(normalized)


def test_codes_are_those_of_the_challenge_in_its_order() -> None:
    assert [DIAGNOSES[name].code for name in ISIC2018_CLASSES] == [
        "MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC",
    ]  # fmt: skip
    assert DIAGNOSES[ISIC2019_CLASSES[-1]].code == "SCC"
    for classes in (ISIC2016_CLASSES, ISIC2017_CLASSES, ISIC2019_CLASSES):
        assert sort_classes(classes) == classes


@given(st.text())
def test_any_text_is_a_diagnosis_or_a_data_error(text: str) -> None:
    try:
        name = canonical_name(text)
    except DataError:
        assert text.casefold() not in KNOWN
    else:
        assert name in DIAGNOSES


@pytest.mark.parametrize("finer", ["solar lentigo", "blue nevus", "malignant", "", "nan", "unknown"])
def test_finer_or_coarser_terms_are_not_aliases(finer: str) -> None:
    with pytest.raises(DataError, match="unknown diagnosis"):
        canonical_name(finer)


@pytest.mark.parametrize(
    ("label", "classes", "expected"),
    [
        ("nv", ("nevus", "melanoma"), "nevus"),
        ("Melanocytic Nevus", ("NV", "MEL"), "NV"),
        ("SPITZ  nevus", ("spitz_nevus", "wart"), "spitz_nevus"),
        ("na\u0308vus", ("nävus", "wart"), "nävus"),
        ("2.00", ("1", "2"), "2"),
        ("na", ("NA", "EU"), "NA"),
        ("MEL", ("mel", "melanoma"), ""),
        ("MEL", ("MEL", "melanoma"), "MEL"),
        ("", ("a", "b"), ""),
        ("melanome", ("melanoma", "nevus"), ""),
    ],
)
def test_a_label_matches_a_class_by_name_code_or_spelling(
    label: str, classes: tuple[str, ...], expected: str
) -> None:
    assert match_class(label, classes) == expected
