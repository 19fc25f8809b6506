"""Tasks map every diagnosis exactly once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionlens.core.errors import DataError
from lesionlens.core.taxonomy import DIAGNOSES
from lesionlens.datasets.tasks import make_task

NAMES = st.sampled_from(list(DIAGNOSES))


@given(st.lists(NAMES, min_size=2, unique=True), st.data())
def test_one_against_the_rest_agrees_with_comparing_names(classes: list[str], data: st.DataObject) -> None:
    sought = data.draw(st.sampled_from(classes))
    asked = make_task(DIAGNOSES[sought].code.lower(), classes)
    labels = data.draw(st.lists(st.sampled_from(classes)))
    assert asked.classes == ("other", sought)
    np.testing.assert_array_equal(asked.encode_labels(labels), [int(label == sought) for label in labels])


@given(st.lists(NAMES, min_size=2, unique=True), st.data())
def test_all_keeps_every_class_in_its_place(classes: list[str], data: st.DataObject) -> None:
    asked = make_task("all", classes)
    labels = data.draw(st.lists(st.sampled_from(classes)))
    targets = asked.encode_labels(labels)
    assert targets.dtype == np.int64
    assert [asked.classes[index] for index in targets] == labels
    assert asked.classes == tuple(classes)


def test_a_class_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(DataError, match=r"unknown task 'dermatofibroma'.*Allowed: all, melanoma, nevus"):
        make_task("dermatofibroma", ["melanoma", "nevus"])
    with pytest.raises(DataError, match="two classes or more"):
        make_task("all", ["melanoma"])
    with pytest.raises(DataError, match="diagnosis in the task"):
        make_task("all", ["melanoma", "nevus"]).encode_labels(["dermatofibroma"])


def test_classes_of_ones_own_may_be_called_anything() -> None:
    assert make_task("wart", ["corn", "wart"]).classes == ("other", "wart")
    assert make_task("other", ["other", "wart"]).classes == ("rest", "other")
