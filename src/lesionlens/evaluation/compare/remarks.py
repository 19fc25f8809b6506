"""What a reader must know of models compared on the same images."""

import math
from collections.abc import Sequence

import numpy as np

from lesionlens.evaluation.compare.contrast import Contrast
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.wording import readable

_FEW_LESIONS = 10
_LEVEL = 0.05  # what a corrected p should be able to fall below


def remarks(first: Predictions, found: Sequence[Contrast], *, replicates: int) -> tuple[str, ...]:
    """Say what is unusual, one sentence each; ``first`` is any of the models, for images, labels and lesions."""
    said = (_several(first), _few(first), _undefined(found), _alone(first), _steps(found, replicates))
    return tuple(filter(None, said))


def several_images(predictions: Predictions) -> int:
    """Count the lesions that have several images."""
    _, images = np.unique(predictions.lesion_id, return_counts=True)
    return int((images > 1).sum())


def _several(first: Predictions) -> str:
    several = several_images(first)
    if not several:
        return ""
    return (
        f"{several:,} of {len(np.unique(first.lesion_id)):,} lesions have several images. DeLong's and McNemar's tests "
        "count images as independent and would be too sure, so p is of the bootstrap over lesions."
    )


def _alone(first: Predictions) -> str:
    if not (first.lesion_id == first.image_id).all():
        return ""
    return (
        "Lesions are not known: each image counts as its own. Where some show the same lesion, the intervals are too "
        "narrow and p is too small."
    )


def _few(first: Predictions) -> str:
    lesions = {name: len(np.unique(first.lesion_id[first.label == name])) for name in first.classes}
    few = [f"{readable(name)} {n}" for name, n in lesions.items() if 0 < n < _FEW_LESIONS]
    return f"Few lesions ({', '.join(few)}): take their intervals and p as a rough guide." if few else ""


def _undefined(found: Sequence[Contrast]) -> str:
    if not any(math.isnan(each.interval.difference) for each in found):
        return ""
    return "– is not defined: the class, or any other, has no image, or none is decided for it."


def _steps(found: Sequence[Contrast], replicates: int) -> str:
    if all(each.judged is not each.interval for each in found):
        return ""
    least = 2 / (replicates + 1)
    said = f"A bootstrap of {replicates:,} resamples gives no p below {least:.2g}"
    judged = [each for each in found if not math.isnan(each.judged.p)]
    corrected = least * len(judged)
    if corrected <= _LEVEL:
        return f"{said}."
    return (
        f"{said}, and where all {len(judged)} differences have it Holm's is {min(1, corrected):.2g}: give more "
        "--replicates, or fewer --metric."
    )
