"""Apply a calibration to predictions: calibrated scores, prediction sets, unknown images, and when to abstain."""

from dataclasses import replace

import numpy as np

from lesionlens.core.errors import PredictionsError
from lesionlens.core.types import FloatArray
from lesionlens.evaluation.predictions import Predictions, other_class_score
from lesionlens.uncertainty.calibration import Calibration, FittedCalibration
from lesionlens.uncertainty.conformal import prediction_sets
from lesionlens.uncertainty.log_scores import to_log_scores, to_probabilities
from lesionlens.uncertainty.scaling import Scaling

DEFAULT_COVERAGE = 0.9


def apply_calibration(
    predictions: Predictions,
    fitted: FittedCalibration,
    *,
    ood_scores: FloatArray | None = None,
    coverage: float = DEFAULT_COVERAGE,
    class_conditional: bool = False,
) -> Predictions:
    """Return the predictions with calibrated scores, prediction sets, percentiles and abstentions.

    A model abstains from an image if the prediction set does not have exactly one class, or if the image is unlike the
    calibration images.

    Parameters
    ----------
    predictions
        Predictions of the same classes.
    fitted
        Calibration of their model.
    ood_scores
        Score of each image by the detector of the calibration, (n,); None if they were not computed.
    coverage
        Coverage of the prediction sets; one of ``COVERAGES``.
    class_conditional
        Whether the coverage should hold for the images of every class, not only for all images together.

    Raises
    ------
    PredictionsError
        The classes differ from those of the calibration, or it is for independent scores and there is no other class.
    """
    calibration, detector = fitted
    if set(predictions.classes) != set(calibration.classes):
        raise PredictionsError(
            f"the calibration is for the classes {', '.join(calibration.classes)}, and the predictions have "
            f"{', '.join(predictions.classes)}"
        )
    if calibration.independent and not predictions.other_class:
        raise PredictionsError(
            "the calibration is for independent scores, and the predictions have no other class. Add the column "
            "other_class, as lesionlens predict writes it"
        )
    order = [calibration.classes.index(name) for name in predictions.classes]
    scores = calibrated_scores(
        predictions, _reordered(calibration, predictions), independent=calibration.independent
    )
    rule = calibration.prediction_set_rule(coverage)
    sets = None
    if rule is not None:
        quantiles = rule.quantiles(calibration.classes, class_conditional=class_conditional)
        sets = prediction_sets(scores, quantiles[order])
    percentile = None if ood_scores is None or detector is None else detector.percentile(ood_scores)
    abstain = np.zeros(len(predictions), dtype=np.bool_) if sets is None else sets.sum(axis=1) != 1
    if ood_scores is not None and calibration.ood is not None:
        abstain = abstain | (ood_scores > calibration.ood.cutoff)
    return replace(
        predictions,
        calibrated_scores=scores,
        prediction_sets=sets,
        abstain=abstain,
        ood_percentile=percentile,
    )


def calibrated_scores(predictions: Predictions, scaling: Scaling, *, independent: bool) -> FloatArray:
    """Return calibrated scores of all classes, (n, k); that of the other class is derived from independent scores."""
    columns = predictions.columns_without_derived(independent=independent)
    log_scores = to_log_scores(predictions.scores[:, columns], independent=independent)
    scores = np.empty(predictions.scores.shape)
    scores[:, columns] = to_probabilities(scaling.apply(log_scores), independent=independent)
    if independent:
        other = predictions.classes.index(predictions.other_class)
        scores[:, other] = other_class_score(scores[:, columns])
    return scores


def _reordered(calibration: Calibration, predictions: Predictions) -> Scaling:
    """Return the scaling in the order of the classes of the predictions."""
    other = predictions.other_class if calibration.independent else ""
    names = [name for name in calibration.classes if name != other]
    order = [names.index(name) for name in predictions.classes if name != other]
    scaling = calibration.scaling
    return Scaling(tuple(scaling.scale[k] for k in order), tuple(scaling.bias[k] for k in order))
