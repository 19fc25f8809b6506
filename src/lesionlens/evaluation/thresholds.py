"""From scores to decisions: the largest score, every score above a half, or a threshold for each class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import PredictionsError, unknown_name_message
from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.evaluation.metrics import ThresholdSweep, threshold_sweep
from lesionlens.evaluation.predictions import Predictions


@dataclass(frozen=True)
class Thresholds:
    """A class is decided where its score reaches its threshold, each class against the rest.

    One class may lack a threshold: the other of two, or the rest. It is decided where no other class is.

    Attributes
    ----------
    values
        Class to threshold.
    rule
        How they were chosen, in words.
    tuned_on
        Names of the lesions by whose scores they were chosen: numbers of these are too good.
    """

    values: Mapping[str, float]
    rule: str = "given"
    tuned_on: frozenset[str] = field(default=frozenset(), repr=False)


DecisionRule: TypeAlias = Literal["argmax", "isic"] | Thresholds
RULES = ("argmax", "isic")


def predict_labels(scores: FloatArray, classes: Sequence[str], decision: DecisionRule) -> BoolArray:
    """Say for which classes each image is decided, (n, k).

    "argmax": the class of the largest score, the first of equal ones. "isic": every class whose score exceeds
    0.5, as the official ISIC scorer decides. With "isic" or thresholds an image may be of no class or of several.
    """
    if isinstance(decision, Thresholds):
        return _reaches_threshold(scores, classes, decision.values)
    largest = scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1])
    return scores > 0.5 if decision == "isic" else np.asarray(largest)


def is_correct(
    scores: FloatArray, targets: NDArray[np.intp], classes: Sequence[str], decision: DecisionRule
) -> BoolArray:
    """Say which images are given their true class, (n,).

    By the largest score, also under "isic"; there an image whose largest score is shared is undecided and so
    wrong, as the official ISIC scorer has it. With thresholds an image is right that is decided for its class alone.
    """
    if isinstance(decision, Thresholds):
        decided = predict_labels(scores, classes, decision)
        return np.asarray(decided[np.arange(len(targets)), targets] & (decided.sum(axis=1) == 1))
    hit: BoolArray = scores.argmax(axis=1) == targets
    if decision == "isic":
        hit = hit & ((scores == scores.max(axis=1, keepdims=True)).sum(axis=1) == 1)
    return hit


def check_decision_rule(decision: DecisionRule, predictions: Predictions) -> None:
    """Refuse a decision that does not exist or thresholds that do not fit the classes.

    Raises
    ------
    PredictionsError
        An unknown name or class, a class too many without a threshold, or a threshold that is not in [0, 1].
    """
    if not isinstance(decision, Thresholds):
        if decision not in RULES:
            raise PredictionsError(unknown_name_message("decision", decision, RULES))
        return
    for name, value in decision.values.items():
        if name not in predictions.classes:
            raise PredictionsError(unknown_name_message("class of a threshold", name, predictions.classes))
        if not 0 <= value <= 1:
            raise PredictionsError(f"the threshold of {name} is {value}; allowed are numbers from 0 to 1")
    without = [name for name in predictions.classes if name not in decision.values]
    if len(without) > 1:
        raise PredictionsError(
            f"no threshold is given for {', '.join(without)}; only one class may lack one, which is then decided where "
            "no other is"
        )


def _reaches_threshold(
    scores: FloatArray, classes: Sequence[str], thresholds: Mapping[str, float]
) -> BoolArray:
    decided = scores >= np.array([thresholds.get(name, np.inf) for name in classes])
    for k, name in enumerate(classes):
        if name not in thresholds:
            decided[:, k] = ~decided.any(axis=1)
    return np.asarray(decided)


_ROUNDING_TOLERANCE = 1e-12  # 0.89 of 100 images is 89 of them, whatever the last bit says


def youden_threshold(predictions: Predictions, class_name: str) -> float:
    """Give the score at which sensitivity + specificity − 1 is largest; the highest of equal ones.

    Youden 1950. Positive are the images whose score for ``class_name`` is at least the threshold; images without a
    label do not count.

    Raises
    ------
    PredictionsError
        There is no such class, or no image of it, or none of another.
    """
    s = _class_sweep(predictions, class_name)
    positives, negatives = s.true_positives[-1], s.false_positives[-1]
    # the index times both numbers: whole, so that equal ones are equal
    return float(s.thresholds[np.argmax(s.true_positives * negatives - s.false_positives * positives)])


def threshold_at_sensitivity(predictions: Predictions, class_name: str, sensitivity: float) -> float:
    """Give the highest score at which at least this share of the images of the class is found.

    Raises
    ------
    PredictionsError
        As for `youden_threshold`; also a sensitivity that is not above 0 and at most 1.
    """
    if not 0 < sensitivity <= 1:
        raise PredictionsError(f"a sensitivity of {sensitivity} is asked for; allowed is above 0 up to 1")
    s = _class_sweep(predictions, class_name)
    found = s.true_positives / s.true_positives[-1]
    return float(s.thresholds[np.argmax(found >= sensitivity - _ROUNDING_TOLERANCE)])


def constant_thresholds(threshold: float, predictions: Predictions) -> Thresholds:
    """Give each class that is asked about (see `thresholded_classes`) the same threshold."""
    return Thresholds(dict.fromkeys(thresholded_classes(predictions), threshold))


def tune_thresholds(rule: str, predictions: Predictions, *, source_name: str) -> Thresholds:
    """Choose a threshold for each class that is asked about (see `thresholded_classes`).

    Parameters
    ----------
    rule
        ``youden``, or ``sensitivity:0.89``.
    predictions
        With labels; of other images than those that will be measured.
    source_name
        What to call them in the record, such as the file's name.

    Raises
    ------
    PredictionsError
        An unknown rule; else as for `youden_threshold` and `threshold_at_sensitivity`.
    """
    name, _, share = rule.partition(":")
    wanted = parse_float(share)
    if rule == "youden":
        values = {of: youden_threshold(predictions, of) for of in thresholded_classes(predictions)}
    elif name == "sensitivity" and wanted is not None:
        values = {
            of: threshold_at_sensitivity(predictions, of, wanted) for of in thresholded_classes(predictions)
        }
    else:
        raise PredictionsError(
            unknown_name_message("threshold", rule, ("youden", "sensitivity:0.89", "a number such as 0.3"))
        )
    known = predictions.select(predictions.label != "")
    lesions = frozenset(map(str, known.lesion_id))
    return Thresholds(values, f"{rule}, tuned on {source_name}, {len(known):,} images", lesions)


def thresholded_classes(predictions: Predictions) -> tuple[str, ...]:
    """Name the classes that need a threshold: all, but not the rest, and of two only the one that is sought."""
    if len(predictions.classes) == 2:
        return (positive_class(predictions.classes),)
    return tuple(name for name in predictions.classes if name != predictions.other_class)


def positive_class(classes: tuple[str, ...]) -> str:
    """Say which of two classes is asked about: melanoma where it is one of them, else the second."""
    return "melanoma" if "melanoma" in classes else classes[1]


def _class_sweep(predictions: Predictions, class_name: str) -> ThresholdSweep:
    if class_name not in predictions.classes:
        raise PredictionsError(unknown_name_message("class", class_name, predictions.classes))
    known = predictions.select(predictions.label != "")
    positive = known.label == class_name
    if not positive.any() or positive.all():
        missing = "no image" if not positive.any() else "no other image than those"
        raise PredictionsError(
            f"no threshold can be chosen for {class_name}: the images hold {missing} of this class"
        )
    return threshold_sweep(positive, known.scores[:, known.classes.index(class_name)])


def parse_float(text: str) -> float | None:
    """Read a number; None where the text is none."""
    try:
        return float(text)
    except ValueError:
        return None
