"""Tasks: mapping of diagnoses to classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionlens.core.errors import DataError
from lesionlens.core.taxonomy import DIAGNOSES
from lesionlens.datasets.tasks import make_task

NAMES = st.sampled_from(list(DIAGNOSES))


@given(st.lists(NAMES, min_size=2, unique=True), st.data())
def test_one_vs_rest_equals_comparison_of_names(classes: list[str], data: st.DataObject) -> None:
    positive = data.draw(st.sampled_from(classes))
    task = make_task(DIAGNOSES[positive].code.lower(), classes)
    labels = data.draw(st.lists(st.sampled_from(classes)))
    assert task.classes == ("other", positive)
    np.testing.assert_array_equal(task.encode_labels(labels), [int(label == positive) for label in labels])


@given(st.lists(NAMES, min_size=2, unique=True), st.data())
def test_task_all_keeps_the_index_of_every_class(classes: list[str], data: st.DataObject) -> None:
    task = make_task("all", classes)
    labels = data.draw(st.lists(st.sampled_from(classes)))
    targets = task.encode_labels(labels)
    assert targets.dtype == np.int64
    assert [task.classes[index] for index in targets] == labels
    assert task.classes == tuple(classes)


def test_class_missing_from_the_table_raises() -> None:
    with pytest.raises(DataError, match=r"unknown task 'dermatofibroma'.*Allowed: all, melanoma, nevus"):
        make_task("dermatofibroma", ["melanoma", "nevus"])
    with pytest.raises(DataError, match="two classes or more"):
        make_task("all", ["melanoma"])
    with pytest.raises(DataError, match="diagnosis in the task"):
        make_task("all", ["melanoma", "nevus"]).encode_labels(["dermatofibroma"])


def test_custom_classes_may_have_any_name() -> None:
    assert make_task("wart", ["corn", "wart"]).classes == ("other", "wart")
    assert make_task("other", ["other", "wart"]).classes == ("rest", "other")
