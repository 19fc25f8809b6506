"""The whole measurement against scikit-learn, and its behaviour at the edges."""

import numpy as np
import pytest
from sklearn import metrics as sk

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.bootstrap import cluster_bootstrap_weights
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions import Predictions

from ..helpers.random_predictions import random_predictions

THREE = ("melanoma", "nevus", "seborrheic_keratosis")


def test_every_value_is_that_of_sklearn() -> None:
    p = random_predictions(250, seed=4)
    found = evaluate(p, n_resamples=0)
    truth, decided = p.targets(), p.scores.argmax(axis=1)
    hot = truth[:, None] == np.arange(7)
    np.testing.assert_array_equal(found.confusion_matrix, sk.confusion_matrix(truth, decided))
    assert found.value("accuracy", "all") == pytest.approx(sk.accuracy_score(truth, decided))
    assert found.value("balanced_accuracy", "all") == pytest.approx(
        sk.balanced_accuracy_score(truth, decided)
    )
    assert found.value("auc") == pytest.approx(sk.roc_auc_score(hot, p.scores, average="macro"))
    assert found.value("average_precision") == pytest.approx(
        sk.average_precision_score(hot, p.scores, average="macro")
    )
    assert found.value("sensitivity") == pytest.approx(sk.recall_score(truth, decided, average="macro"))
    assert found.value("precision") == pytest.approx(sk.precision_score(truth, decided, average="macro"))
    assert found.value("f1") == pytest.approx(sk.f1_score(truth, decided, average="macro"))
    for k, name in enumerate(p.classes):
        assert found.value("auc", name) == pytest.approx(sk.roc_auc_score(hot[:, k], p.scores[:, k]))
        assert found.value("f1", name) == pytest.approx(sk.f1_score(hot[:, k], decided == k))
        assert found.support[k] == hot[:, k].sum()
    assert found.n_lesions == len(set(p.lesion_id))
    assert np.isnan([each.low for each in found.estimates]).all()


def test_intervals_are_those_of_a_plain_loop_over_sklearn() -> None:
    p = random_predictions(120, classes=THREE, seed=2)
    found = evaluate(p, n_resamples=60, seed=9, confidence=0.8)
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
        estimate = found.estimate(metric, "all" if metric == "balanced_accuracy" else "macro")
        assert (estimate.low, estimate.high) == pytest.approx(np.percentile(values, [10, 90]), abs=1e-12), (
            metric
        )


def test_the_seed_decides_and_other_options_do_not_disturb_the_values() -> None:
    p = random_predictions(80, classes=THREE)
    first, again, other = (evaluate(p, n_resamples=50, seed=seed) for seed in (1, 1, 2))
    assert first.to_json() == again.to_json()
    assert first.estimate("auc", "macro").low != other.estimate("auc", "macro").low
    assert first.value("auc") == other.value("auc") == evaluate(p, n_resamples=0).value("auc")


def test_intervals_over_lesions_are_wider_than_over_near_copies() -> None:
    p = random_predictions(60, classes=THREE, digits=6)
    four = np.repeat(np.arange(60), 4)
    names = np.array([f"image {n}" for n in range(240)])
    copies = Predictions(names, p.image_id[four], p.label[four], p.scores[four], p.classes)
    naive = Predictions(names, names, p.label[four], p.scores[four], p.classes)
    widths = []
    for each in (copies, naive):
        estimate = evaluate(each, n_resamples=300).estimate("accuracy", "all")
        widths.append(estimate.high - estimate.low)
    # four copies hold the information of one: naive intervals are half as wide
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.2)


def test_classes_without_images_have_no_numbers_and_leave_the_averages() -> None:
    p = random_predictions(150, prior=[0.3, 0.4, 0.3, 0, 0, 0, 0], seed=1)
    found = evaluate(p, n_resamples=20)
    absent = found.estimate("auc", "dermatofibroma")
    assert np.isnan([absent.value, absent.low, absent.high]).all()
    assert absent.caveat == "no image of this class"
    assert "dermatofibroma" not in found.curves
    present = [found.value("auc", name) for name in p.classes[:3]]
    assert found.value("auc") == pytest.approx(np.mean(present))
    assert found.estimate("auc", "macro").caveat.startswith("over 3 of 7 classes, without actinic keratosis")
    assert found.value("balanced_accuracy", "all") == pytest.approx(found.value("sensitivity"))
    assert any(note.startswith("No image of: actinic keratosis") for note in found.caveats)


def test_one_class_alone_can_be_counted_but_not_ranked() -> None:
    p = Predictions(["a", "b"], ["", ""], ["x", "x"], [[0.9, 0.1], [0.2, 0.8]], ("x", "y"))
    found = evaluate(p, n_resamples=10)
    assert found.value("accuracy", "all") == 0.5
    assert found.estimate("auc", "x").caveat == "no image of another class"
    assert found.estimate("specificity", "x").caveat == "no image of another class"
    assert np.isnan(found.value("auc"))
    assert found.curves == {}


def test_few_lesions_and_dropped_replicates_are_said() -> None:
    p = random_predictions(100, classes=THREE, seed=3)
    label = p.label.copy()
    label[label == "melanoma"] = "nevus"
    label[:2] = "melanoma"
    lesion = p.lesion_id.copy()
    lesion[:2] = "one"
    found = evaluate(Predictions(p.image_id, lesion, label, p.scores, THREE), n_resamples=200)
    note = found.estimate("sensitivity", "melanoma").caveat
    assert "few lesions (1): take the interval as a rough guide" in note
    assert "cannot be computed in 3" in note  # a lesion is missing from about 1/e of the replicates
    assert "cannot be computed in 3" in found.estimate("auc", "macro").caveat


def test_a_perfect_model_has_an_interval_that_is_called_too_narrow() -> None:
    p = Predictions(list("abcd"), list("abcd"), list("xxyy"), [[1, 0], [1, 0], [0, 1], [0, 1]], ("x", "y"))
    found = evaluate(p, n_resamples=50).estimate("accuracy", "all")
    assert (found.value, found.low, found.high) == (1, 1, 1)
    assert "the same in every resample: the interval is too narrow" in found.caveat


def test_images_without_a_label_are_left_out_and_counted() -> None:
    p = random_predictions(60, classes=THREE)
    label = p.label.copy()
    label[:10] = ""
    found = evaluate(Predictions(p.image_id, p.lesion_id, label, p.scores, THREE), n_resamples=0)
    assert found.n_images == 50
    assert found.caveats[0] == "10 of 60 images have no label and are left out."
    assert found.value("auc") == evaluate(p.select(np.arange(10, 60)), n_resamples=0).value("auc")


def test_nothing_to_measure_and_wrong_options_are_said() -> None:
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


def test_the_two_questions_of_isic_2017_are_averaged_without_the_derived_rest() -> None:
    p = random_predictions(90, classes=THREE, seed=8)
    two = p.scores[:, [0, 2]]
    scores = np.column_stack([two[:, 0], 1 - two.max(axis=1), two[:, 1]])
    found = evaluate(
        Predictions(p.image_id, p.lesion_id, p.label, scores, THREE, other_class="nevus"), n_resamples=0
    )
    areas = [sk.roc_auc_score(p.label == name, scores[:, k]) for k, name in ((0, THREE[0]), (2, THREE[2]))]
    assert found.value("auc") == pytest.approx(np.mean(areas))
    assert any("leave out nevus" in note for note in found.caveats)


def test_ties_independent_scores_and_unknown_lesions_are_noted() -> None:
    p = Predictions(["a", "b"], ["", ""], ["x", "y"], [[0.5, 0.5], [0.1, 0.7]], ("x", "y"))
    notes = " ".join(evaluate(p, n_resamples=0).caveats)
    assert "Lesions are not known" in notes
    assert "1 images do not sum to one" in notes
    assert "1 images share their largest score between classes and count for the first of them: a." in notes
    quiet = Predictions(["a", "b"], ["l", "l"], ["x", "y"], [[0.9, 0.1], [0.2, 0.8]], ("x", "y"))
    assert evaluate(quiet, n_resamples=0).caveats == ()
