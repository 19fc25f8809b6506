"""Measure predictions against the truth: every number with an interval over lesions."""

import numpy as np

from lesionlens.errors import PredictionsError
from lesionlens.evaluation.curves import ClassCurves, compute_class_curves
from lesionlens.evaluation.decision import DecisionRule, Thresholds, check_decision_rule, predict_labels
from lesionlens.evaluation.estimates import build_estimates
from lesionlens.evaluation.evaluation import Estimate, EvaluationResult
from lesionlens.evaluation.measures import MetricValues, compute_metrics
from lesionlens.evaluation.notes import dataset_caveats
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.reduced import to_binary_task
from lesionlens.evaluation.resample import BootstrapMetrics, bootstrap_metrics

__all__ = ["Estimate", "EvaluationResult", "evaluate"]


def evaluate(
    predictions: Predictions,
    *,
    n_resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    decision: DecisionRule = "argmax",
    task: str = "all",
) -> EvaluationResult:
    """Measure predictions; each interval is a percentile bootstrap over lesions.

    Parameters
    ----------
    predictions
        With labels; images without one are left out, and a note says how many.
    n_resamples
        Bootstrap replicates; 0 gives the numbers alone, without intervals and bands.
    seed
        Of the bootstrap.
    confidence
        Of the intervals, between 0 and 1.
    decision
        "argmax": an image is of the class with the largest score. "half": as the official ISIC scorer, the
        numbers of a class count every image whose score for it exceeds 0.5. `Thresholds`: every image whose
        score reaches that of the class.
    task
        "all", or the one question that is measured (see `reduced`): "melanoma" is melanoma against the rest,
        "seborrheic_keratosis/nevus" the one against the other.

    Raises
    ------
    PredictionsError
        No image has a label, an option is out of its range, or thresholds or a task do not fit the classes.
    """
    _check_options(n_resamples, confidence)
    predictions, left_out = to_binary_task(predictions, task)
    check_decision_rule(decision, predictions)
    known = _select_labeled(predictions)
    thresholds = decision if isinstance(decision, Thresholds) else None
    one_each: DecisionRule = "argmax"  # several thresholds may give an image several classes, or none
    if thresholds and len(known.classes) == len(thresholds.values) + 1 == 2:
        one_each = thresholds
    point = compute_metrics(known, decision=decision)
    again = bootstrap_metrics(known, n_resamples=n_resamples, seed=seed, decision=decision) if n_resamples else None
    support, lesion_support = _class_support(known)
    return EvaluationResult(
        classes=known.classes,
        estimates=build_estimates(known, point.values, again.values if again else None, confidence=confidence),
        confusion_matrix=_confusion_matrix(known, one_each),
        support=support,
        lesion_support=lesion_support,
        n_images=len(known),
        n_lesions=len(np.unique(known.lesion_id)),
        curves=_curves_by_class(known, point, again, confidence),
        caveats=(*left_out, *dataset_caveats(predictions, uses_argmax=one_each == "argmax"), *_leakage_caveat(known, thresholds)),
        confidence=confidence,
        n_resamples=n_resamples,
        seed=seed,
        decision="thresholds" if isinstance(decision, Thresholds) else decision,
        task=task,
        thresholds=dict(thresholds.values) if thresholds else {},
        threshold_rule=thresholds.rule if thresholds else "",
    )


def _check_options(n_resamples: int, confidence: float) -> None:
    if n_resamples < 0 or not 0 < confidence < 1:
        raise PredictionsError(
            f"replicates={n_resamples} and confidence={confidence}: replicates are 0 or more, "
            "the confidence lies between 0 and 1 (0.95 for 95 %)"
        )


def _select_labeled(predictions: Predictions) -> Predictions:
    known = predictions.label != ""
    if not known.any():
        raise PredictionsError(
            f"none of the {len(predictions)} images has a label, so nothing can be measured. Give a "
            "table of labels: --truth FILE (truth= in Python), a CSV with image,label[,lesion_id] or an official "
            "ground truth."
        )
    return predictions.select(known)


def _class_support(labeled: Predictions) -> tuple[tuple[int, ...], tuple[int, ...]]:
    own = [labeled.lesion_id[labeled.label == name] for name in labeled.classes]
    return tuple(len(each) for each in own), tuple(len(np.unique(each)) for each in own)


def _leakage_caveat(labeled: Predictions, thresholds: Thresholds | None) -> tuple[str, ...]:
    shared = set(map(str, labeled.lesion_id)) & thresholds.tuned_on if thresholds else ()
    if not shared:
        return ()
    return (
        f"{len(shared)} of the measured lesions also chose the thresholds, so what depends on these is too good.",
    )


def _confusion_matrix(labeled: Predictions, decision: DecisionRule) -> tuple[tuple[int, ...], ...]:
    k = len(labeled.classes)
    column = predict_labels(labeled.scores, labeled.classes, decision).argmax(axis=1)
    cells = np.bincount(labeled.targets() * k + column, minlength=k * k)
    return tuple(tuple(int(cell) for cell in row) for row in cells.reshape(k, k))


def _curves_by_class(
    labeled: Predictions, point: MetricValues, resampled: BootstrapMetrics | None, confidence: float
) -> dict[str, ClassCurves]:
    return {
        name: compute_class_curves(point.sweeps[k], resampled.tpr_curves[k] if resampled else None, confidence=confidence)
        for k, name in enumerate(labeled.classes)
        if not np.isnan(point.values["auc", name])
    }
