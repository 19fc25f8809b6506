"""Evaluate predictions against the ground truth: every metric with a confidence interval over lesions."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.binarize import to_binary_task
from lesionlens.evaluation.bootstrap import BootstrapMetrics, bootstrap_metrics
from lesionlens.evaluation.caveats import dataset_caveats, leakage_caveats
from lesionlens.evaluation.compute import MetricValues, compute_metrics, scored_images
from lesionlens.evaluation.estimates import build_estimates
from lesionlens.evaluation.metrics import ClassCurves, compute_class_curves
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import as_predictions
from lesionlens.evaluation.predictive_values import check_prevalence, predictive_values
from lesionlens.evaluation.result import Estimate, EvaluationResult
from lesionlens.evaluation.score_curves import build_score_curves
from lesionlens.evaluation.thresholds import DecisionRule, Thresholds, check_decision_rule, predict_labels

__all__ = ["Estimate", "EvaluationResult", "evaluate"]


def evaluate(
    predictions: Predictions | Path | str,
    *,
    ground_truth: Path | str | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    decision: DecisionRule = "argmax",
    task: str = "all",
    prevalence: Mapping[str, float] | None = None,
) -> EvaluationResult:
    """Evaluate predictions; each interval is a percentile bootstrap over lesions.

    Parameters
    ----------
    predictions
        Predictions with labels, or a file of them; images without a label are excluded and counted in a caveat.
    ground_truth
        Labels for a file of predictions, as for ``read_predictions``.
    n_resamples
        Number of bootstrap resamples; 0 computes no intervals and no bands.
    seed
        Random seed of the bootstrap.
    confidence
        Confidence level of the intervals, between 0 and 1.
    decision
        "argmax": the class with the largest score. "isic": every class whose score exceeds 0.5, as in the official
        ISIC scorer. `Thresholds`: every class whose score reaches its threshold.
    task
        "all", or the binary task to evaluate (see `to_binary_task`): "melanoma" is melanoma against the rest,
        "seborrheic_keratosis/nevus" one class against another.
    prevalence
        Prevalence by class at which PPV and NPV are computed: those of the images hold for their prevalence only.

    Raises
    ------
    PredictionsError
        No image has a label, an option is out of its range, or thresholds, a task or a prevalence do not match the
        classes.
    TypeError
        ``predictions`` is neither an object of type Predictions nor a path.
    """
    predictions = as_predictions(predictions, ground_truth=ground_truth)
    _check_options(n_resamples, confidence)
    predictions, task_classes, task_caveats = to_binary_task(predictions, task)
    check_decision_rule(decision, predictions)
    by_class = check_prevalence(prevalence or {}, predictions.classes)
    labeled = _select_labeled(predictions)
    thresholds = decision if isinstance(decision, Thresholds) else None
    single_label = _single_label_rule(labeled, thresholds)
    point = compute_metrics(labeled, decision=decision)
    resampled = (
        bootstrap_metrics(labeled, n_resamples=n_resamples, seed=seed, decision=decision)
        if n_resamples
        else None
    )
    resampled_values, resampled_curves = (
        (resampled.values, resampled.score_curves) if resampled else (None, None)
    )
    support, lesion_support = _class_support(labeled)
    estimates = build_estimates(labeled, point.values, resampled_values, confidence=confidence)
    return EvaluationResult(
        classes=labeled.classes,
        estimates=estimates,
        confusion_matrix=_confusion_matrix(labeled, single_label),
        support=support,
        lesion_support=lesion_support,
        n_images=len(labeled),
        n_lesions=len(np.unique(labeled.lesion_id)),
        curves=_curves_by_class(labeled, point, resampled, estimates, confidence),
        caveats=(
            *task_caveats,
            *dataset_caveats(predictions, uses_argmax=single_label == "argmax"),
            *leakage_caveats(labeled, thresholds),
        ),
        confidence=confidence,
        n_resamples=n_resamples,
        seed=seed,
        decision="thresholds" if isinstance(decision, Thresholds) else decision,
        task=task_classes,
        thresholds=dict(thresholds.values) if thresholds else {},
        threshold_rule=thresholds.rule if thresholds else "",
        score_curves=build_score_curves(
            scored_images(labeled), labeled.classes, resampled_curves, confidence=confidence
        ),
        prevalence=by_class,
        predictive_values=predictive_values(
            by_class, point.values, resampled_values, estimates, confidence=confidence
        ),
    )


def _check_options(n_resamples: int, confidence: float) -> None:
    if n_resamples < 0 or not 0 < confidence < 1:
        raise PredictionsError(
            f"n_resamples={n_resamples} and confidence={confidence}: n_resamples must be 0 or more, and confidence "
            "between 0 and 1 (0.95 for 95 %)"
        )


def _select_labeled(predictions: Predictions) -> Predictions:
    labeled = predictions.label != ""
    if not labeled.any():
        raise PredictionsError(
            f"none of the {len(predictions)} images has a label, so there is nothing to evaluate. Pass a table of "
            "labels: --labels FILE (ground_truth= in Python), a CSV with image,label[,lesion_id] or an official "
            "ground truth."
        )
    return predictions.select(labeled)


def _single_label_rule(labeled: Predictions, thresholds: Thresholds | None) -> DecisionRule:
    """Return the rule of the confusion matrix, in which every image has exactly one predicted class."""
    if thresholds and len(labeled.classes) == len(thresholds.values) + 1 == 2:
        return thresholds
    return "argmax"  # several thresholds may predict several classes for an image, or none


def _class_support(labeled: Predictions) -> tuple[tuple[int, ...], tuple[int, ...]]:
    lesions_by_class = [labeled.lesion_id[labeled.label == name] for name in labeled.classes]
    return tuple(map(len, lesions_by_class)), tuple(len(np.unique(lesions)) for lesions in lesions_by_class)


def _confusion_matrix(labeled: Predictions, decision: DecisionRule) -> tuple[tuple[int, ...], ...]:
    k = len(labeled.classes)
    predicted = predict_labels(labeled.scores, labeled.classes, decision).argmax(axis=1)
    cells = np.bincount(labeled.targets() * k + predicted, minlength=k * k)
    return tuple(tuple(int(cell) for cell in row) for row in cells.reshape(k, k))


def _curves_by_class(
    labeled: Predictions,
    point: MetricValues,
    resampled: BootstrapMetrics | None,
    estimates: Sequence[Estimate],
    confidence: float,
) -> dict[str, ClassCurves]:
    """Return the curves of each class that has an AUC, with a band if that has an interval."""
    has_interval = {
        estimate.scope: not np.isnan(estimate.low) for estimate in estimates if estimate.metric == "auc"
    }
    return {
        name: compute_class_curves(
            point.sweeps[k],
            resampled.tpr_curves[k] if resampled and has_interval[name] else None,
            confidence=confidence,
        )
        for k, name in enumerate(labeled.classes)
        if not np.isnan(point.values["auc", name])
    }
