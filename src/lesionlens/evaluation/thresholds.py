"""Thresholds chosen by the scores of images that are not measured: the validation part's."""

import numpy as np

from lesionlens.errors import PredictionsError, unknown
from lesionlens.evaluation.decision import Thresholds
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.sweep import Sweep, sweep

_ROUNDING = 1e-12  # 0.89 of 100 images is 89 of them, whatever the last bit says


def youden(predictions: Predictions, of: str) -> float:
    """Give the score at which sensitivity + specificity − 1 is largest; the highest of equal ones.

    Youden 1950. Positive are the images whose score for ``of`` is at least the threshold; images without a label do
    not count.

    Raises
    ------
    PredictionsError
        There is no such class, or no image of it, or none of another.
    """
    s = _swept(predictions, of)
    positives, negatives = s.true_positives[-1], s.false_positives[-1]
    # the index times both numbers: whole, so that equal ones are equal
    return float(s.thresholds[np.argmax(s.true_positives * negatives - s.false_positives * positives)])


def at_sensitivity(predictions: Predictions, of: str, sensitivity: float) -> float:
    """Give the highest score at which at least this share of the images of the class is found.

    Raises
    ------
    PredictionsError
        As for `youden`; also a sensitivity that is not above 0 and at most 1.
    """
    if not 0 < sensitivity <= 1:
        raise PredictionsError(f"a sensitivity of {sensitivity} is asked for; allowed is above 0 up to 1")
    s = _swept(predictions, of)
    found = s.true_positives / s.true_positives[-1]
    return float(s.thresholds[np.argmax(found >= sensitivity - _ROUNDING)])


def given(threshold: float, predictions: Predictions) -> Thresholds:
    """Give each class that is asked about (see `asked`) the same threshold."""
    return Thresholds(dict.fromkeys(asked(predictions), threshold))


def chosen(rule: str, predictions: Predictions, *, on: str) -> Thresholds:
    """Choose a threshold for each class that is asked about (see `asked`).

    Parameters
    ----------
    rule
        ``youden``, or ``sensitivity:0.89``.
    predictions
        With labels; of other images than those that will be measured.
    on
        What to call them in the record, such as the file's name.

    Raises
    ------
    PredictionsError
        An unknown rule; else as for `youden` and `at_sensitivity`.
    """
    name, _, share = rule.partition(":")
    wanted = number(share)
    if rule == "youden":
        values = {of: youden(predictions, of) for of in asked(predictions)}
    elif name == "sensitivity" and wanted is not None:
        values = {of: at_sensitivity(predictions, of, wanted) for of in asked(predictions)}
    else:
        raise PredictionsError(
            unknown("threshold", rule, ("youden", "sensitivity:0.89", "a number such as 0.3"))
        )
    known = predictions.select(predictions.label != "")
    lesions = frozenset(map(str, known.lesion_id))
    return Thresholds(values, f"{rule}, chosen on {on}, {len(known):,} images", lesions)


def asked(predictions: Predictions) -> tuple[str, ...]:
    """Name the classes that need a threshold: all, but not the rest, and of two only the one that is sought."""
    if len(predictions.classes) == 2:
        return (sought(predictions.classes),)
    return tuple(name for name in predictions.classes if name != predictions.rest)


def sought(classes: tuple[str, ...]) -> str:
    """Say which of two classes is asked about: melanoma where it is one of them, else the second."""
    return "melanoma" if "melanoma" in classes else classes[1]


def _swept(predictions: Predictions, of: str) -> Sweep:
    if of not in predictions.classes:
        raise PredictionsError(unknown("class", of, predictions.classes))
    known = predictions.select(predictions.label != "")
    positive = known.label == of
    if not positive.any() or positive.all():
        missing = "no image" if not positive.any() else "no other image than those"
        raise PredictionsError(
            f"no threshold can be chosen for {of}: the images hold {missing} of this class"
        )
    return sweep(positive, known.scores[:, known.classes.index(of)])


def number(text: str) -> float | None:
    """Read a number; None where the text is none."""
    try:
        return float(text)
    except ValueError:
        return None
