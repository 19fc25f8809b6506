"""What a reader must know of models compared on the same images."""

import math
from collections.abc import Sequence

import numpy as np

from lesionlens.evaluation.compare.contrast import MetricComparison
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.wording import display_name

_MIN_LESIONS = 10
_SIGNIFICANCE_LEVEL = 0.05  # what a corrected p should be able to fall below


def comparison_caveats(predictions: Predictions, comparisons: Sequence[MetricComparison], *, n_resamples: int) -> tuple[str, ...]:
    """Say what is unusual, one sentence each; ``predictions`` is any of the models, for images, labels and lesions."""
    said = (_multi_image_caveat(predictions), _few_lesions_caveat(predictions), _undefined_caveat(comparisons), _unknown_lesions_caveat(predictions), _p_value_resolution_caveat(comparisons, n_resamples))
    return tuple(filter(None, said))


def count_multi_image_lesions(predictions: Predictions) -> int:
    """Count the lesions that have several images."""
    _, images = np.unique(predictions.lesion_id, return_counts=True)
    return int((images > 1).sum())


def _multi_image_caveat(predictions: Predictions) -> str:
    several = count_multi_image_lesions(predictions)
    if not several:
        return ""
    return (
        f"{several:,} of {len(np.unique(predictions.lesion_id)):,} lesions have several images. DeLong's and McNemar's tests "
        "count images as independent and would be too sure, so p is of the bootstrap over lesions."
    )


def _unknown_lesions_caveat(predictions: Predictions) -> str:
    if not (predictions.lesion_id == predictions.image_id).all():
        return ""
    return (
        "Lesions are not known: each image counts as its own. Where some show the same lesion, the intervals are too "
        "narrow and p is too small."
    )


def _few_lesions_caveat(predictions: Predictions) -> str:
    lesions = {name: len(np.unique(predictions.lesion_id[predictions.label == name])) for name in predictions.classes}
    few = [f"{display_name(name)} {n}" for name, n in lesions.items() if 0 < n < _MIN_LESIONS]
    return f"Few lesions ({', '.join(few)}): take their intervals and p as a rough guide." if few else ""


def _undefined_caveat(comparisons: Sequence[MetricComparison]) -> str:
    if not any(math.isnan(each.interval_result.difference) for each in comparisons):
        return ""
    return "– is not defined: the class, or any other, has no image, or none is decided for it."


def _p_value_resolution_caveat(comparisons: Sequence[MetricComparison], n_resamples: int) -> str:
    if all(each.primary_test is not each.interval_result for each in comparisons):
        return ""
    least = 2 / (n_resamples + 1)
    said = f"A bootstrap of {n_resamples:,} resamples gives no p below {least:.2g}"
    judged = [each for each in comparisons if not math.isnan(each.primary_test.p)]
    corrected = least * len(judged)
    if corrected <= _SIGNIFICANCE_LEVEL:
        return f"{said}."
    return (
        f"{said}, and where all {len(judged)} differences have it Holm's is {min(1, corrected):.2g}: give more "
        "--replicates, or fewer --metric."
    )
