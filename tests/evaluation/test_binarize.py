"""One question out of many classes, each kind of predictions."""

import numpy as np
import pytest
from sklearn import metrics as sk

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.binarize import to_binary_task
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions import Predictions, multilabel_predictions

from ..helpers.random_predictions import random_predictions

THREE = ("melanoma", "nevus", "seborrheic_keratosis")


@pytest.mark.parametrize("task", ["melanoma", "dermatofibroma", "DF"])
def test_a_class_against_the_rest_keeps_its_scores(task: str) -> None:
    p = random_predictions(200, seed=6)
    name = "dermatofibroma" if task == "DF" else task
    found = evaluate(p, n_resamples=0, task=task)
    scores, truth = p.scores[:, p.classes.index(name)], p.label == name
    assert found.classes == ("other", name)
    assert found.value("auc", name) == pytest.approx(sk.roc_auc_score(truth, scores))
    assert found.value("average_precision", name) == pytest.approx(sk.average_precision_score(truth, scores))
    assert found.value("sensitivity", name) == pytest.approx(sk.recall_score(truth, scores > 0.5))
    assert found.value("auc", name) == evaluate(p, n_resamples=0).value("auc", name)
    assert found.task == task


def test_independent_scores_give_each_of_their_questions() -> None:
    rng = np.random.default_rng(0)
    label = np.array(["melanoma", "seborrheic_keratosis", "other"] * 20)
    ids = np.arange(60).astype(str)
    p = multilabel_predictions(ids, ids, label, rng.random((60, 2)), ("melanoma", "seborrheic_keratosis"))
    found = to_binary_task(p, "seborrheic_keratosis").predictions
    np.testing.assert_array_equal(found.scores[:, 1], p.scores[:, 2])
    assert (found.label == "other").sum() == 40
    assert found.other_class == ""


def test_a_class_against_one_other_leaves_the_rest_out_and_says_so() -> None:
    p = random_predictions(120, classes=THREE, seed=3)
    found = evaluate(p, n_resamples=0, task="seborrheic_keratosis/nevus")
    kept = np.isin(p.label, THREE[1:])
    conditional = p.scores[kept, 2] / (p.scores[kept, 1] + p.scores[kept, 2])
    expected = sk.roc_auc_score(p.label[kept] == THREE[2], conditional)
    assert found.value("auc", "seborrheic_keratosis") == pytest.approx(expected)
    assert found.n_images == kept.sum()
    assert found.caveats[0] == (
        f"{(~kept).sum()} of 120 images are neither seborrheic keratosis nor nevus and are left out."
    )


def test_two_scores_of_nothing_are_a_half_each() -> None:
    p = Predictions(["a", "b"], ["", ""], ["x", "y"], [[0, 0, 1], [0.2, 0.6, 0.2]], ("x", "y", "z"))
    np.testing.assert_allclose(to_binary_task(p, "x/y").predictions.scores, [[0.5, 0.5], [0.75, 0.25]])


def test_images_without_a_label_stay_without_one() -> None:
    p = Predictions(["a", "b"], ["", ""], ["", "y"], [[0.1, 0.9], [0.4, 0.6]], ("x", "y"))
    assert to_binary_task(p, "y").predictions.label.tolist() == ["", "y"]
    assert to_binary_task(p, "x").predictions.label.tolist() == ["", "other"]
    assert to_binary_task(p, "all").predictions is p


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("melanomia", "unknown task 'melanomia': did you mean 'melanoma'"),
        ("melanoma/melanoma", "of two different classes"),
        ("melanoma/nevus/melanoma", "of two different classes"),
        ("melanoma/nevus", "no image is labelled melanoma or nevus"),
    ],
)
def test_a_task_that_does_not_fit_is_refused(task: str, message: str) -> None:
    p = Predictions(["a"], ["a"], [THREE[2]], [[0.2, 0.3, 0.5]], THREE)
    with pytest.raises(PredictionsError, match=message):
        evaluate(p, task=task)
