"""Binary tasks from multi-class, multi-label and binary predictions."""

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
def test_one_vs_rest_keeps_the_scores_of_the_class(task: str) -> None:
    p = random_predictions(200, seed=6)
    name = "dermatofibroma" if task == "DF" else task
    result = evaluate(p, n_resamples=0, task=task)
    scores, truth = p.scores[:, p.classes.index(name)], p.label == name
    assert result.classes == ("other", name)
    assert result.value("auc", name) == pytest.approx(sk.roc_auc_score(truth, scores))
    assert result.value("average_precision", name) == pytest.approx(sk.average_precision_score(truth, scores))
    assert result.value("sensitivity", name) == pytest.approx(sk.recall_score(truth, scores > 0.5))
    assert result.value("auc", name) == evaluate(p, n_resamples=0).value("auc", name)
    assert result.task == (name,)


def test_one_vs_rest_of_independent_scores() -> None:
    rng = np.random.default_rng(0)
    label = np.array(["melanoma", "seborrheic_keratosis", "other"] * 20)
    ids = np.arange(60).astype(str)
    p = multilabel_predictions(ids, ids, label, rng.random((60, 2)), ("melanoma", "seborrheic_keratosis"))
    result = to_binary_task(p, "seborrheic_keratosis").predictions
    np.testing.assert_array_equal(result.scores[:, 1], p.scores[:, 2])
    assert (result.label == "other").sum() == 40
    assert result.other_class == ""


def test_one_vs_one_excludes_other_images_with_a_caveat() -> None:
    p = random_predictions(120, classes=THREE, seed=3)
    result = evaluate(p, n_resamples=0, task="seborrheic_keratosis/nevus")
    included = np.isin(p.label, THREE[1:])
    conditional = p.scores[included, 2] / (p.scores[included, 1] + p.scores[included, 2])
    expected = sk.roc_auc_score(p.label[included] == THREE[2], conditional)
    assert result.value("auc", "seborrheic_keratosis") == pytest.approx(expected)
    assert result.n_images == included.sum()
    assert result.caveats[0] == (
        f"{(~included).sum()} of 120 images are neither seborrheic keratosis nor nevus and are excluded."
    )


def test_one_vs_one_of_two_zero_scores_is_one_half() -> None:
    p = Predictions(["a", "b"], ["", ""], ["x", "y"], [[0, 0, 1], [0.2, 0.6, 0.2]], ("x", "y", "z"))
    np.testing.assert_allclose(to_binary_task(p, "x/y").predictions.scores, [[0.5, 0.5], [0.75, 0.25]])


def test_unlabeled_images_stay_unlabeled() -> None:
    p = Predictions(["a", "b"], ["", ""], ["", "y"], [[0.1, 0.9], [0.4, 0.6]], ("x", "y"))
    assert to_binary_task(p, "y").predictions.label.tolist() == ["", "y"]
    assert to_binary_task(p, "x").predictions.label.tolist() == ["", "other"]
    assert to_binary_task(p, "all").predictions is p


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("melanomia", "unknown task 'melanomia': did you mean 'melanoma'"),
        ("melanoma/melanoma", "is not a task; use one class, ONE/OTHER"),
        ("melanoma/nevus/melanoma", "is not a task; use one class, ONE/OTHER"),
        ("melanoma+nevus", "allowed are all, CLASS, or CLASS/OTHER"),
        ("melanoma/nevus", "no image has the label melanoma or nevus"),
    ],
)
def test_invalid_task_raises(task: str, message: str) -> None:
    p = Predictions(["a"], ["a"], [THREE[2]], [[0.2, 0.3, 0.5]], THREE)
    with pytest.raises(PredictionsError, match=message):
        evaluate(p, task=task)
