"""Evaluation against scikit-learn, and its behavior in edge cases."""

import numpy as np
import pytest
from sklearn import metrics as sk

from lesionlens.core.bootstrap import cluster_bootstrap_weights
from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import MACRO, OVERALL
from lesionlens.evaluation.predictions import Predictions

from ..helpers.random_predictions import random_predictions

THREE = ("melanoma", "nevus", "seborrheic_keratosis")


def test_values_match_sklearn() -> None:
    p = random_predictions(250, seed=4)
    result = evaluate(p, n_resamples=0)
    truth, decided = p.targets(), p.scores.argmax(axis=1)
    hot = truth[:, None] == np.arange(7)
    np.testing.assert_array_equal(result.confusion_matrix, sk.confusion_matrix(truth, decided))
    assert result.value("accuracy", OVERALL) == pytest.approx(sk.accuracy_score(truth, decided))
    assert result.value("balanced_accuracy", OVERALL) == pytest.approx(
        sk.balanced_accuracy_score(truth, decided)
    )
    assert result.value("auc") == pytest.approx(sk.roc_auc_score(hot, p.scores, average="macro"))
    assert result.value("average_precision") == pytest.approx(
        sk.average_precision_score(hot, p.scores, average="macro")
    )
    assert result.value("sensitivity") == pytest.approx(sk.recall_score(truth, decided, average="macro"))
    assert result.value("precision") == pytest.approx(sk.precision_score(truth, decided, average="macro"))
    assert result.value("f1") == pytest.approx(sk.f1_score(truth, decided, average="macro"))
    for k, name in enumerate(p.classes):
        assert result.value("auc", name) == pytest.approx(sk.roc_auc_score(hot[:, k], p.scores[:, k]))
        assert result.value("f1", name) == pytest.approx(sk.f1_score(hot[:, k], decided == k))
        assert result.support[k] == hot[:, k].sum()
    assert result.n_lesions == len(set(p.lesion_id))
    assert np.isnan([estimate.low for estimate in result.estimates]).all()


def test_intervals_match_a_loop_over_sklearn() -> None:
    p = random_predictions(120, classes=THREE, seed=2)
    result = evaluate(p, n_resamples=60, seed=9, confidence=0.8)
    truth, decided = p.targets(), p.scores.argmax(axis=1)
    loop: dict[str, list[float]] = {"auc": [], "f1": [], "specificity": [], "balanced_accuracy": []}
    for weights in np.concatenate(list(cluster_bootstrap_weights(p.lesion_id, n_resamples=60, seed=9))):
        hot = np.eye(3)[truth]
        loop["auc"].append(sk.roc_auc_score(hot, p.scores, average="macro", sample_weight=weights))
        loop["f1"].append(sk.f1_score(truth, decided, average="macro", sample_weight=weights))
        negative = [sk.recall_score(truth != k, decided != k, sample_weight=weights) for k in range(3)]
        loop["specificity"].append(np.mean(negative))
        loop["balanced_accuracy"].append(sk.balanced_accuracy_score(truth, decided, sample_weight=weights))
    for metric, values in loop.items():
        estimate = result.estimate(metric, OVERALL if metric == "balanced_accuracy" else MACRO)
        assert (estimate.low, estimate.high) == pytest.approx(np.percentile(values, [10, 90]), abs=1e-12), (
            metric
        )


def test_seed_changes_intervals_but_not_values() -> None:
    p = random_predictions(80, classes=THREE)
    first, repeated, reseeded = (evaluate(p, n_resamples=50, seed=seed) for seed in (1, 1, 2))
    assert first.to_json() == repeated.to_json()
    assert first.estimate("auc", MACRO).low != reseeded.estimate("auc", MACRO).low
    assert first.value("auc") == reseeded.value("auc") == evaluate(p, n_resamples=0).value("auc")


def test_intervals_over_lesions_are_wider_than_over_duplicates() -> None:
    p = random_predictions(60, classes=THREE, digits=6)
    four = np.repeat(np.arange(60), 4)
    names = np.array([f"image {n}" for n in range(240)])
    copies = Predictions(names, p.image_id[four], p.label[four], p.scores[four], p.classes)
    independent = Predictions(names, names, p.label[four], p.scores[four], p.classes)
    widths = []
    for predictions in (copies, independent):
        estimate = evaluate(predictions, n_resamples=300).estimate("accuracy", OVERALL)
        widths.append(estimate.high - estimate.low)
    # four copies have the information of one image: intervals over images are half as wide
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.2)


def test_absent_classes_are_undefined_and_excluded_from_averages() -> None:
    p = random_predictions(150, prior=[0.3, 0.4, 0.3, 0, 0, 0, 0], seed=1)
    result = evaluate(p, n_resamples=20)
    absent = result.estimate("auc", "dermatofibroma")
    assert np.isnan([absent.value, absent.low, absent.high]).all()
    assert absent.caveat == "no image of this class"
    assert "dermatofibroma" not in result.curves
    present = [result.value("auc", name) for name in p.classes[:3]]
    assert result.value("auc") == pytest.approx(np.mean(present))
    assert result.estimate("auc", MACRO).caveat.startswith("over 3 of 7 classes, without actinic keratosis")
    assert result.value("balanced_accuracy", OVERALL) == pytest.approx(result.value("sensitivity"))
    assert any(caveat.startswith("No images of: actinic keratosis") for caveat in result.caveats)


def test_single_class_has_accuracy_but_no_auc() -> None:
    p = Predictions(["a", "b"], ["", ""], ["x", "x"], [[0.9, 0.1], [0.2, 0.8]], ("x", "y"))
    result = evaluate(p, n_resamples=10)
    assert result.value("accuracy", OVERALL) == 0.5
    assert result.estimate("auc", "x").caveat == "no image of another class"
    assert result.estimate("specificity", "x").caveat == "no image of another class"
    assert np.isnan(result.value("auc"))
    assert result.curves == {}


def test_one_lesion_of_a_class_has_a_caveat() -> None:
    p = random_predictions(100, classes=THREE, seed=3)
    label = p.label.copy()
    label[label == "melanoma"] = "nevus"
    label[:2] = "melanoma"
    lesion = p.lesion_id.copy()
    lesion[:2] = "one"
    result = evaluate(Predictions(p.image_id, lesion, label, p.scores, THREE), n_resamples=200)
    sensitivity, mean_auc = result.estimate("sensitivity", "melanoma"), result.estimate("auc", MACRO)
    assert sensitivity.caveat == "only one lesion of this class: there is no interval"
    assert np.isnan([sensitivity.low, sensitivity.high]).all()
    assert mean_auc.caveat == "only one lesion of melanoma: there is no interval"
    assert np.isnan([mean_auc.low, mean_auc.high]).all()
    assert result.estimate("auc", "nevus").caveat == ""


def test_interval_without_width_is_undefined() -> None:
    p = Predictions(list("abcd"), list("abcd"), list("xxyy"), [[1, 0], [1, 0], [0, 1], [0, 1]], ("x", "y"))
    result = evaluate(p, n_resamples=50).estimate("accuracy", OVERALL)
    assert result.value == 1
    assert np.isnan([result.low, result.high]).all()
    assert result.caveat == "the same in (nearly) every resample: there is no interval"


def test_unlabeled_images_are_excluded_and_counted() -> None:
    p = random_predictions(60, classes=THREE)
    label = p.label.copy()
    label[:10] = ""
    result = evaluate(Predictions(p.image_id, p.lesion_id, label, p.scores, THREE), n_resamples=0)
    assert result.n_images == 50
    assert result.caveats[0] == "10 of 60 images have no label and are excluded."
    assert result.value("auc") == evaluate(p.select(np.arange(10, 60)), n_resamples=0).value("auc")


def test_no_labels_and_invalid_options_raise() -> None:
    p = random_predictions(20, classes=THREE)
    bare = Predictions(p.image_id, p.lesion_id, np.full(20, ""), p.scores, THREE)
    with pytest.raises(
        PredictionsError,
        match=r"none of the 20 images has a label.*--labels FILE .ground_truth= in Python.*image,label",
    ):
        evaluate(bare)
    with pytest.raises(PredictionsError, match="unknown decision 'argmix': did you mean 'argmax'"):
        evaluate(p, decision="argmix")
    with pytest.raises(PredictionsError, match="confidence=95"):
        evaluate(p, confidence=95)


def test_isic_2017_average_excludes_the_other_class() -> None:
    p = random_predictions(90, classes=THREE, seed=8)
    two = p.scores[:, [0, 2]]
    scores = np.column_stack([two[:, 0], 1 - two.max(axis=1), two[:, 1]])
    result = evaluate(
        Predictions(p.image_id, p.lesion_id, p.label, scores, THREE, other_class="nevus"), n_resamples=0
    )
    areas = [sk.roc_auc_score(p.label == name, scores[:, k]) for k, name in ((0, THREE[0]), (2, THREE[2]))]
    assert result.value("auc") == pytest.approx(np.mean(areas))
    assert any("classes exclude nevus" in caveat for caveat in result.caveats)


def test_ties_score_sums_and_unknown_lesions_have_caveats() -> None:
    p = Predictions(["a", "b"], ["", ""], ["x", "y"], [[0.5, 0.5], [0.1, 0.7]], ("x", "y"))
    notes = " ".join(evaluate(p, n_resamples=0).caveats)
    assert "Lesions are unknown" in notes
    assert "Scores that do not sum to one: 1 of 2 images." in notes
    assert "Tied largest scores: 1 of 2 images, predicted as the first of the tied classes (a)." in notes
    quiet = Predictions(["a", "b"], ["l", "m"], ["x", "y"], [[0.9, 0.1], [0.2, 0.8]], ("x", "y"))
    assert evaluate(quiet, n_resamples=0).caveats == ()
