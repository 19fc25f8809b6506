"""Thresholds: tuned as in hand-computed cases and scikit-learn's ROC, applied to other images, recorded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import OVERALL
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


# by descending score: + + - + - -; sensitivity 1/3 2/3 2/3 1 1 1, specificity 1 1 2/3 2/3 1/3 0
HAND = binary([1, 0, 1, 0, 1, 0], [0.9, 0.6, 0.8, 0.2, 0.5, 0.1])


def test_tuned_thresholds_of_a_hand_computed_case() -> None:
    assert youden_threshold(HAND, "melanoma") == 0.8  # 2/3 here and at 0.5: the higher threshold
    assert threshold_at_sensitivity(HAND, "melanoma", 1 / 3) == 0.9
    assert threshold_at_sensitivity(HAND, "melanoma", 0.5) == 0.8
    assert threshold_at_sensitivity(HAND, "melanoma", 0.89) == 0.5
    assert threshold_at_sensitivity(HAND, "melanoma", 1) == 0.5


@settings(max_examples=40)
@given(st.data())
def test_tuned_thresholds_match_sklearns_roc(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 30))
    label = np.array(data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    label[:2] = 0, 1
    scores = np.array(data.draw(st.lists(st.integers(0, 10), min_size=n, max_size=n))) / 10
    p = binary(label.tolist(), scores.tolist())
    fpr, tpr, thresholds = sk.roc_curve(label, scores, drop_intermediate=False)
    fpr, tpr, thresholds = (
        fpr[1:],
        tpr[1:],
        thresholds[1:],
    )  # without the first, at which no image is predicted
    result = youden_threshold(p, "melanoma")
    at = np.flatnonzero(thresholds == result)[0]
    assert (tpr - fpr)[at] == pytest.approx((tpr - fpr).max())
    sensitivity = data.draw(st.sampled_from([0.5, 0.89, 0.95, 1]))
    assert (
        threshold_at_sensitivity(p, "melanoma", sensitivity) == thresholds[tpr >= sensitivity - 1e-12].max()
    )


def test_threshold_tuned_on_validation_applies_to_test() -> None:
    validation, test = (
        random_predictions(150, classes=TWO, seed=1),
        random_predictions(150, classes=TWO, seed=2),
    )
    renamed = [f"T{name}" for name in test.image_id]
    test = Predictions(renamed, renamed, test.label, test.scores, TWO)
    rule = tune_thresholds("sensitivity:0.89", validation, source_name="validation.csv")
    threshold = threshold_at_sensitivity(validation, "melanoma", 0.89)
    assert rule.values == {"melanoma": threshold}
    result = evaluate(test, n_resamples=30, decision=rule)
    truth, predicted = test.label == "melanoma", test.scores[:, 1] >= threshold
    assert result.value("sensitivity", "melanoma") == pytest.approx(sk.recall_score(truth, predicted))
    assert result.value("specificity", "melanoma") == result.value("sensitivity", "other")
    assert result.value("accuracy", OVERALL) == pytest.approx(sk.accuracy_score(truth, predicted))
    np.testing.assert_array_equal(result.confusion_matrix, sk.confusion_matrix(truth, predicted))
    assert result.estimate("sensitivity", "melanoma").low < result.value("sensitivity", "melanoma")
    assert (result.decision, result.thresholds) == ("thresholds", {"melanoma": threshold})
    assert result.threshold_rule == "sensitivity:0.89, tuned on validation.csv, 150 images"
    assert EvaluationResult.from_json(result.to_json()) == result
    assert not any("thresholds were tuned on" in caveat for caveat in result.caveats)


def test_ties_have_a_caveat_only_under_argmax() -> None:
    p = binary([1, 0, 1], [0.5, 0.2, 0.9])
    largest, reached = (
        evaluate(p, n_resamples=0, decision=rule) for rule in ("argmax", Thresholds({"melanoma": 0.5}))
    )
    assert any("Tied largest scores" in caveat for caveat in largest.caveats)
    assert not any("Tied largest scores" in caveat for caveat in reached.caveats)
    assert (largest.confusion_matrix, reached.confusion_matrix) == (((1, 0), (1, 1)), ((1, 0), (0, 2)))


def test_tuning_on_evaluated_lesions_has_a_caveat() -> None:
    p = random_predictions(80, classes=TWO, seed=1)
    result = evaluate(p, n_resamples=0, decision=tune_thresholds("youden", p, source_name="p.csv"))
    assert any(
        caveat.startswith(f"The thresholds were tuned on {result.n_lesions} of the evaluated lesions")
        for caveat in result.caveats
    )


def test_each_class_but_the_other_has_a_threshold() -> None:
    p = random_predictions(200, classes=("a", "b", "c"), seed=4)
    rule = tune_thresholds("youden", p, source_name="p.csv")
    assert rule.values == {name: youden_threshold(p, name) for name in "abc"}
    scores = [[0.9, 0.8], [0.2, 0.3], [0.1, 0.6]]
    multilabel = multilabel_predictions(list("xyz"), [""] * 3, ["m", "other", "s"], scores, ("m", "s"))
    assert set(tune_thresholds("youden", multilabel, source_name="p").values) == {"m", "s"}
    predicted = predict_labels(multilabel.scores, multilabel.classes, Thresholds({"m": 0.9, "s": 0.6}))
    assert predicted.tolist() == [[False, True, True], [True, False, False], [False, False, True]]
    # the first image has two predicted classes, which is incorrect
    result = evaluate(multilabel, n_resamples=0, decision=Thresholds({"m": 0.9, "s": 0.6}))
    assert result.value("accuracy", OVERALL) == pytest.approx(2 / 3)
    assert result.value("sensitivity", "m") == 1


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("youdens", "'youdens' is neither youden nor sensitivity:0.89. Did you mean youden"),
        ("sensitivity:x", "'sensitivity:x' is neither youden nor"),
        ("sensitivity:89", "Did you mean sensitivity:0.89"),
    ],
)
def test_unknown_rule_raises(rule: str, message: str) -> None:
    with pytest.raises(PredictionsError, match=message):
        tune_thresholds(rule, HAND, source_name="p.csv")


def test_invalid_thresholds_raise() -> None:
    with pytest.raises(
        PredictionsError, match=r"no threshold can be tuned for melanoma: .* no image of this"
    ):
        youden_threshold(HAND.select(HAND.label == "other"), "melanoma")
    with pytest.raises(PredictionsError, match="no image of another class"):
        youden_threshold(HAND.select(HAND.label == "melanoma"), "melanoma")
    with pytest.raises(PredictionsError, match="unknown class 'nevus'"):
        threshold_at_sensitivity(HAND, "nevus", 0.89)
    with pytest.raises(PredictionsError, match="unknown class of a threshold 'nevus'"):
        evaluate(HAND, decision=Thresholds({"nevus": 0.3}))
    with pytest.raises(PredictionsError, match=r"threshold of melanoma is 1\.5; allowed are numbers from 0"):
        evaluate(HAND, decision=Thresholds({"melanoma": 1.5}))
    with pytest.raises(PredictionsError, match="no threshold for b, c"):
        evaluate(random_predictions(20, classes=("a", "b", "c")), decision=Thresholds({"a": 0.5}))
