"""Pooled predictions of test folds: scikit-learn on the concatenated predictions, and folds that overlap."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import MACRO, OVERALL
from lesionlens.evaluation.pooling import pool_folds
from lesionlens.evaluation.predictions import Predictions

from ..helpers.random_predictions import random_predictions


def split_by_lesion(predictions: Predictions, num_folds: int = 4) -> dict[str, Predictions]:
    lesion = np.unique(predictions.lesion_id, return_inverse=True)[1]
    return {f"fold-{fold}": predictions.select(lesion % num_folds == fold) for fold in range(num_folds)}


def test_pool_equals_scikit_learn_on_joined_folds() -> None:
    folds = split_by_lesion(random_predictions(240))
    result = evaluate(pool_folds(folds), n_resamples=0)
    label = np.concatenate([fold.label for fold in folds.values()])
    scores = np.concatenate([fold.scores for fold in folds.values()])
    classes = next(iter(folds.values())).classes
    predicted = np.array(classes)[scores.argmax(axis=1)]
    for k, name in enumerate(classes):
        expected = metrics.roc_auc_score(label == name, scores[:, k])
        assert result.value("auc", name) == pytest.approx(expected)
        expected = metrics.average_precision_score(label == name, scores[:, k])
        assert result.value("average_precision", name) == pytest.approx(expected)
    mean_auc = np.mean([metrics.roc_auc_score(label == name, scores[:, k]) for k, name in enumerate(classes)])
    assert result.value("auc", MACRO) == pytest.approx(mean_auc)
    expected = metrics.balanced_accuracy_score(label, predicted)
    assert result.value("balanced_accuracy", OVERALL) == pytest.approx(expected)
    assert result.value("f1", MACRO) == pytest.approx(
        metrics.f1_score(label, predicted, average="macro", zero_division=0)
    )
    assert result.n_images == 240


def test_intervals_of_a_pool_resample_lesions() -> None:
    predictions = random_predictions(160, classes=("other", "melanoma"))
    folds = split_by_lesion(predictions)
    rows = [np.flatnonzero(np.isin(predictions.image_id, fold.image_id)) for fold in folds.values()]
    joined = predictions.select(np.concatenate(rows))
    options = {"n_resamples": 50, "seed": 3}
    assert evaluate(pool_folds(folds), **options).estimates == evaluate(joined, **options).estimates


def test_columns_of_classes_are_matched() -> None:
    folds = split_by_lesion(random_predictions(60, classes=("other", "melanoma")), 2)
    turned = replace(folds["fold-1"], scores=folds["fold-1"].scores[:, ::-1], classes=("melanoma", "other"))
    pooled = pool_folds({**folds, "fold-1": turned})
    np.testing.assert_array_equal(pooled.scores, pool_folds(folds).scores)
    assert pooled.classes == ("other", "melanoma")


def test_caveats_name_their_folds() -> None:
    folds = split_by_lesion(random_predictions(60), 2)
    marked = {name: replace(fold, caveats=("Synthetic.",)) for name, fold in folds.items()}
    marked["fold-1"] = replace(marked["fold-1"], caveats=("Synthetic.", "No nevus."))
    first, *others = pool_folds(marked).caveats
    assert first.startswith("Pooled predictions of 2 folds: ")
    assert "scores of different models" in first
    assert others == ["Synthetic.", "fold-1: No nevus."]


def rename(fold: Predictions, **columns: str) -> Predictions:
    """Replace the first value of columns."""
    return replace(
        fold, **{name: np.array([value, *getattr(fold, name)[1:]]) for name, value in columns.items()}
    )


def test_folds_with_common_images_or_lesions_raise() -> None:
    folds = split_by_lesion(random_predictions(60, classes=("other", "melanoma")), 3)
    image, lesion = str(folds["fold-0"].image_id[0]), str(folds["fold-0"].lesion_id[0])
    repeated = {**folds, "fold-2": rename(folds["fold-2"], image_id=image)}
    message = rf"several folds have 1 image in common \({image} in fold-0 and fold-2\)"
    with pytest.raises(PredictionsError, match=message):
        pool_folds(repeated)
    repeated = {**folds, "fold-1": rename(folds["fold-1"], lesion_id=lesion)}
    message = rf"1 lesion in common \({lesion} in fold-0 and fold-1\)\. The folds divide images.*group_kfold"
    with pytest.raises(PredictionsError, match=message):
        pool_folds(repeated)


def test_unknown_lesions_are_not_common_lesions() -> None:
    folds = split_by_lesion(random_predictions(60, classes=("other", "melanoma")), 2)
    unknown = {name: replace(fold, lesion_id=np.full(len(fold), "")) for name, fold in folds.items()}
    assert pool_folds(unknown).has_unknown_lesion.all()


def test_folds_of_other_classes_raise() -> None:
    folds = split_by_lesion(random_predictions(60, classes=("other", "melanoma")), 2)
    nevus = split_by_lesion(random_predictions(60, classes=("other", "nevus")), 2)
    with pytest.raises(
        PredictionsError, match="fold-1 has the classes other, nevus and fold-0 other, melanoma"
    ):
        pool_folds({"fold-0": folds["fold-0"], "fold-1": nevus["fold-1"]})
    with pytest.raises(PredictionsError, match="only runs of the same classes"):
        pool_folds({**folds, "fold-1": replace(folds["fold-1"], other_class="other")})
