"""Thresholds: chosen by hand-worked cases and scikit-learn's ROC, applied to other images, recorded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions import Predictions, multilabel_predictions
from lesionlens.evaluation.result import EvaluationResult
from lesionlens.evaluation.thresholds import (
    Thresholds,
    predict_labels,
    threshold_at_sensitivity,
    tune_thresholds,
    youden_threshold,
)

from ..helpers.random_predictions import random_predictions

TWO = ("other", "melanoma")


def binary(label: list[int], scores: list[float]) -> Predictions:
    ids = np.array([f"i{n}" for n in range(len(label))])
    score = np.array(scores, dtype=float)
    return Predictions(ids, ids, np.array(TWO)[label], np.column_stack([1 - score, score]), TWO)


# by falling score: + + - + - -; sensitivity 1/3 2/3 2/3 1 1 1, specificity 1 1 2/3 2/3 1/3 0
HAND = binary([1, 0, 1, 0, 1, 0], [0.9, 0.6, 0.8, 0.2, 0.5, 0.1])


def test_a_case_worked_by_hand() -> None:
    assert youden_threshold(HAND, "melanoma") == 0.8  # 2/3 here and at 0.5: the higher
    assert threshold_at_sensitivity(HAND, "melanoma", 1 / 3) == 0.9
    assert threshold_at_sensitivity(HAND, "melanoma", 0.5) == 0.8
    assert threshold_at_sensitivity(HAND, "melanoma", 0.89) == 0.5
    assert threshold_at_sensitivity(HAND, "melanoma", 1) == 0.5


@settings(max_examples=40)
@given(st.data())
def test_thresholds_are_those_of_sklearns_roc(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 30))
    label = np.array(data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    label[:2] = 0, 1
    scores = np.array(data.draw(st.lists(st.integers(0, 10), min_size=n, max_size=n))) / 10
    p = binary(label.tolist(), scores.tolist())
    fpr, tpr, thresholds = sk.roc_curve(label, scores, drop_intermediate=False)
    fpr, tpr, thresholds = fpr[1:], tpr[1:], thresholds[1:]  # without the first, at which nothing is found
    found = youden_threshold(p, "melanoma")
    at = np.flatnonzero(thresholds == found)[0]
    assert (tpr - fpr)[at] == pytest.approx((tpr - fpr).max())
    wanted = data.draw(st.sampled_from([0.5, 0.89, 0.95, 1]))
    assert threshold_at_sensitivity(p, "melanoma", wanted) == thresholds[tpr >= wanted - 1e-12].max()


def test_the_threshold_of_one_part_decides_the_other() -> None:
    validation, test = (
        random_predictions(150, classes=TWO, seed=1),
        random_predictions(150, classes=TWO, seed=2),
    )
    renamed = [f"T{name}" for name in test.image_id]
    test = Predictions(renamed, renamed, test.label, test.scores, TWO)
    rule = tune_thresholds("sensitivity:0.89", validation, source_name="validation.csv")
    limit = threshold_at_sensitivity(validation, "melanoma", 0.89)
    assert rule.values == {"melanoma": limit}
    found = evaluate(test, n_resamples=30, decision=rule)
    truth, decided = test.label == "melanoma", test.scores[:, 1] >= limit
    assert found.value("sensitivity", "melanoma") == pytest.approx(sk.recall_score(truth, decided))
    assert found.value("specificity", "melanoma") == found.value("sensitivity", "other")
    assert found.value("accuracy", "all") == pytest.approx(sk.accuracy_score(truth, decided))
    np.testing.assert_array_equal(found.confusion_matrix, sk.confusion_matrix(truth, decided))
    assert found.estimate("sensitivity", "melanoma").low < found.value("sensitivity", "melanoma")
    assert (found.decision, found.thresholds) == ("thresholds", {"melanoma": limit})
    assert found.threshold_rule == "sensitivity:0.89, tuned on validation.csv, 150 images"
    assert EvaluationResult.from_json(found.to_json()) == found
    assert not any("chose the thresholds" in note for note in found.caveats)


def test_equal_scores_are_noted_only_where_the_largest_decides() -> None:
    p = binary([1, 0, 1], [0.5, 0.2, 0.9])
    largest, reached = (
        evaluate(p, n_resamples=0, decision=how) for how in ("argmax", Thresholds({"melanoma": 0.5}))
    )
    assert any("share their largest score" in note for note in largest.caveats)
    assert not any("share their largest score" in note for note in reached.caveats)
    assert (largest.confusion_matrix, reached.confusion_matrix) == (((1, 0), (1, 1)), ((1, 0), (0, 2)))


def test_thresholds_chosen_on_the_measured_images_are_said_to_be() -> None:
    p = random_predictions(80, classes=TWO, seed=1)
    found = evaluate(p, n_resamples=0, decision=tune_thresholds("youden", p, source_name="p.csv"))
    assert any(
        note.startswith(f"{found.n_lesions} of the measured lesions also chose") for note in found.caveats
    )


def test_every_class_of_many_has_its_own_and_the_rest_none() -> None:
    p = random_predictions(200, classes=("a", "b", "c"), seed=4)
    rule = tune_thresholds("youden", p, source_name="p.csv")
    assert rule.values == {name: youden_threshold(p, name) for name in "abc"}
    scores = [[0.9, 0.8], [0.2, 0.3], [0.1, 0.6]]
    asked = multilabel_predictions(list("xyz"), [""] * 3, ["m", "other", "s"], scores, ("m", "s"))
    assert set(tune_thresholds("youden", asked, source_name="p").values) == {"m", "s"}
    decided = predict_labels(asked.scores, asked.classes, Thresholds({"m": 0.9, "s": 0.6}))
    assert decided.tolist() == [[False, True, True], [True, False, False], [False, False, True]]
    # the first is of two classes, which is not right; the others are
    found = evaluate(asked, n_resamples=0, decision=Thresholds({"m": 0.9, "s": 0.6}))
    assert found.value("accuracy", "all") == pytest.approx(2 / 3)
    assert found.value("sensitivity", "m") == 1


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("youdens", "unknown threshold 'youdens': did you mean 'youden'"),
        ("sensitivity:x", "Allowed: a number such as 0.3, sensitivity:0.89, youden"),
        ("sensitivity:89", "a sensitivity of 89.0 is asked for; allowed is above 0 up to 1"),
    ],
)
def test_a_rule_that_does_not_exist_is_refused(rule: str, message: str) -> None:
    with pytest.raises(PredictionsError, match=message):
        tune_thresholds(rule, HAND, source_name="p.csv")


def test_what_cannot_be_chosen_or_does_not_fit_is_refused() -> None:
    with pytest.raises(
        PredictionsError, match=r"no threshold can be chosen for melanoma: .* no image of this"
    ):
        youden_threshold(HAND.select(HAND.label == "other"), "melanoma")
    with pytest.raises(PredictionsError, match="no other image than those of this"):
        youden_threshold(HAND.select(HAND.label == "melanoma"), "melanoma")
    with pytest.raises(PredictionsError, match="unknown class 'nevus'"):
        threshold_at_sensitivity(HAND, "nevus", 0.89)
    with pytest.raises(PredictionsError, match="unknown class of a threshold 'nevus'"):
        evaluate(HAND, decision=Thresholds({"nevus": 0.3}))
    with pytest.raises(PredictionsError, match=r"threshold of melanoma is 1\.5; allowed are numbers from 0"):
        evaluate(HAND, decision=Thresholds({"melanoma": 1.5}))
    with pytest.raises(PredictionsError, match="no threshold is given for b, c"):
        evaluate(random_predictions(20, classes=("a", "b", "c")), decision=Thresholds({"a": 0.5}))
