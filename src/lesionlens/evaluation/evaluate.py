"""Measure predictions against the truth: every number with an interval over lesions."""

import numpy as np

from lesionlens.errors import PredictionsError
from lesionlens.evaluation.curves import Curves, curves
from lesionlens.evaluation.decision import Decision, Thresholds, check, decide
from lesionlens.evaluation.estimates import estimates
from lesionlens.evaluation.evaluation import Estimate, Evaluation
from lesionlens.evaluation.measures import Measured, measure
from lesionlens.evaluation.notes import notes
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.reduced import reduced
from lesionlens.evaluation.resample import Resampled, resample

__all__ = ["Estimate", "Evaluation", "evaluate"]


def evaluate(
    predictions: Predictions,
    *,
    replicates: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    decision: Decision = "argmax",
    task: str = "all",
) -> Evaluation:
    """Measure predictions; each interval is a percentile bootstrap over lesions.

    Parameters
    ----------
    predictions
        With labels; images without one are left out, and a note says how many.
    replicates
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
    _check_options(replicates, confidence)
    predictions, left_out = reduced(predictions, task)
    check(decision, predictions)
    known = _labelled(predictions)
    thresholds = decision if isinstance(decision, Thresholds) else None
    one_each: Decision = "argmax"  # several thresholds may give an image several classes, or none
    if thresholds and len(known.classes) == len(thresholds.values) + 1 == 2:
        one_each = thresholds
    point = measure(known, decision=decision)
    again = resample(known, replicates=replicates, seed=seed, decision=decision) if replicates else None
    support, lesion_support = _support(known)
    return Evaluation(
        classes=known.classes,
        estimates=estimates(known, point.values, again.values if again else None, confidence=confidence),
        confusion=_confusion(known, one_each),
        support=support,
        lesion_support=lesion_support,
        images=len(known),
        lesions=len(np.unique(known.lesion_id)),
        curves=_curves(known, point, again, confidence),
        notes=(*left_out, *notes(predictions, largest=one_each == "argmax"), *_leak(known, thresholds)),
        confidence=confidence,
        replicates=replicates,
        seed=seed,
        decision="thresholds" if isinstance(decision, Thresholds) else decision,
        task=task,
        thresholds=dict(thresholds.values) if thresholds else {},
        threshold_rule=thresholds.rule if thresholds else "",
    )


def _check_options(replicates: int, confidence: float) -> None:
    if replicates < 0 or not 0 < confidence < 1:
        raise PredictionsError(
            f"replicates={replicates} and confidence={confidence}: replicates are 0 or more, "
            "the confidence lies between 0 and 1 (0.95 for 95 %)"
        )


def _labelled(predictions: Predictions) -> Predictions:
    known = predictions.label != ""
    if not known.any():
        raise PredictionsError(
            f"none of the {len(predictions)} images has a label, so nothing can be measured. Give a "
            "table of labels: --truth FILE (truth= in Python), a CSV with image,label[,lesion_id] or an official "
            "ground truth."
        )
    return predictions.select(known)


def _support(known: Predictions) -> tuple[tuple[int, ...], tuple[int, ...]]:
    own = [known.lesion_id[known.label == name] for name in known.classes]
    return tuple(len(each) for each in own), tuple(len(np.unique(each)) for each in own)


def _leak(known: Predictions, thresholds: Thresholds | None) -> tuple[str, ...]:
    shared = set(map(str, known.lesion_id)) & thresholds.chosen_on if thresholds else ()
    if not shared:
        return ()
    return (
        f"{len(shared)} of the measured lesions also chose the thresholds, so what depends on these is too good.",
    )


def _confusion(known: Predictions, decision: Decision) -> tuple[tuple[int, ...], ...]:
    k = len(known.classes)
    column = decide(known.scores, known.classes, decision).argmax(axis=1)
    cells = np.bincount(known.targets() * k + column, minlength=k * k)
    return tuple(tuple(int(cell) for cell in row) for row in cells.reshape(k, k))


def _curves(
    known: Predictions, point: Measured, again: Resampled | None, confidence: float
) -> dict[str, Curves]:
    return {
        name: curves(point.sweeps[k], again.rates[k] if again else None, confidence=confidence)
        for k, name in enumerate(known.classes)
        if not np.isnan(point.values["auc", name])
    }
