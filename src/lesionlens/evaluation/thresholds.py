"""Decision rules: from scores to predicted classes by the largest score, by a score above 0.5, or by thresholds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import PredictionsError, unknown_name_message
from lesionlens.core.taxonomy import canonical_or_raw
from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.evaluation.metrics import ThresholdSweep, threshold_sweep
from lesionlens.evaluation.predictions import OTHER_CLASS_NAMES, Predictions


@dataclass(frozen=True)
class Thresholds:
    """One threshold per class: a class is predicted if its score reaches its threshold.

    At most one class may lack a threshold, such as the negative or the other class. It is predicted if no other class
    is.

    Attributes
    ----------
    values
        Threshold by class, each between 0 and 1.
    rule
        Description of how the thresholds were set.
    tuned_on
        Lesions on whose scores the thresholds were tuned; metrics of these lesions are optimistically biased.
    """

    values: Mapping[str, float]
    rule: str = "given"
    tuned_on: frozenset[str] = field(default=frozenset(), repr=False)


DecisionRule: TypeAlias = Literal["argmax", "isic"] | Thresholds
RULES = ("argmax", "isic")


def predict_labels(scores: FloatArray, classes: Sequence[str], decision: DecisionRule) -> BoolArray:
    """Return whether each image is predicted to be of each class, (n, k).

    "argmax": the class with the largest score, the first one of a tie. "isic": every class whose score exceeds 0.5, as
    in the official ISIC scorer. With "isic" or thresholds an image may have no predicted class or several.
    """
    if isinstance(decision, Thresholds):
        return _reaches_threshold(scores, classes, decision.values)
    largest = scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1])
    return scores > 0.5 if decision == "isic" else np.asarray(largest)


def is_correct(
    scores: FloatArray, targets: NDArray[np.intp], classes: Sequence[str], decision: DecisionRule
) -> BoolArray:
    """Return whether each image is predicted to be of its true class, (n,).

    "argmax" and "isic" compare the class with the largest score; under "isic" a tie is incorrect, as in the official
    ISIC scorer. With thresholds a prediction is correct if the true class is the only predicted class.
    """
    if isinstance(decision, Thresholds):
        predicted = predict_labels(scores, classes, decision)
        return np.asarray(predicted[np.arange(len(targets)), targets] & (predicted.sum(axis=1) == 1))
    correct: BoolArray = scores.argmax(axis=1) == targets
    if decision == "isic":
        correct = correct & ((scores == scores.max(axis=1, keepdims=True)).sum(axis=1) == 1)
    return correct


def check_decision_rule(decision: DecisionRule, predictions: Predictions) -> None:
    """Check that a decision rule exists and that thresholds match the classes.

    Raises
    ------
    PredictionsError
        The rule or a class does not exist, two or more classes have no threshold, or a threshold is not in [0, 1].
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
    missing = [name for name in predictions.classes if name not in decision.values]
    if len(missing) > 1:
        raise PredictionsError(
            f"no threshold for {', '.join(missing)}; only one class may lack a threshold: it is predicted if no other "
            "class is"
        )


def _reaches_threshold(
    scores: FloatArray, classes: Sequence[str], thresholds: Mapping[str, float]
) -> BoolArray:
    predicted = scores >= np.array([thresholds.get(name, np.inf) for name in classes])
    for k, name in enumerate(classes):
        if name not in thresholds:
            predicted[:, k] = ~predicted.any(axis=1)
    return np.asarray(predicted)


def constant_thresholds(threshold: float, predictions: Predictions) -> Thresholds:
    """Return the same threshold for every class that needs one (see `thresholded_classes`)."""
    return Thresholds(dict.fromkeys(thresholded_classes(predictions), threshold))


def tune_thresholds(rule: str, predictions: Predictions, *, source_name: str) -> Thresholds:
    """Tune a threshold for every class that needs one (see `thresholded_classes`).

    Parameters
    ----------
    rule
        ``youden``, or ``sensitivity:0.89``.
    predictions
        Predictions with labels, of other images than those to be evaluated.
    source_name
        Name of these predictions in the result, such as the name of the file.

    Raises
    ------
    PredictionsError
        The rule does not exist; otherwise as for `youden_threshold` and `threshold_at_sensitivity`.
    """
    parsed = _parse_rule(rule)
    if parsed is None:
        raise PredictionsError(f"{rule!r} is neither {_RULE_DESCRIPTION}{_suggest(rule)}")
    values = {
        class_name: youden_threshold(predictions, class_name)
        if parsed.name == "youden"
        else threshold_at_sensitivity(predictions, class_name, parsed.sensitivity)
        for class_name in thresholded_classes(predictions)
    }
    labeled = predictions.select(predictions.label != "")
    lesions = frozenset(map(str, labeled.lesion_id))
    return Thresholds(values, f"{rule}, tuned on {source_name}, {len(labeled):,} images", lesions)


_ROUNDING_TOLERANCE = 1e-12  # 0.89 of 100 images is 89 images in spite of rounding errors


def youden_threshold(predictions: Predictions, class_name: str) -> float:
    """Return the score that maximizes sensitivity + specificity − 1 (Youden 1950); the highest one of a tie.

    Images with a score at or above the threshold are predicted positive. Images without a label are ignored.

    Raises
    ------
    PredictionsError
        The class does not exist, or no image is of the class, or all images are.
    """
    sweep = _class_sweep(predictions, class_name)
    positives, negatives = sweep.true_positives[-1], sweep.false_positives[-1]
    # the index multiplied by both counts is an integer, so that ties are exact
    index = sweep.true_positives * negatives - sweep.false_positives * positives
    return float(sweep.thresholds[np.argmax(index)])


def threshold_at_sensitivity(predictions: Predictions, class_name: str, sensitivity: float) -> float:
    """Return the highest score at which the sensitivity of a class reaches ``sensitivity``.

    Raises
    ------
    PredictionsError
        As for `youden_threshold`; also if the sensitivity is not in (0, 1].
    """
    if not 0 < sensitivity <= 1:
        raise PredictionsError(
            f"the requested sensitivity is {sensitivity}; it must be above 0 and at most 1"
        )
    sweep = _class_sweep(predictions, class_name)
    achieved = sweep.true_positives / sweep.true_positives[-1]
    return float(sweep.thresholds[np.argmax(achieved >= sensitivity - _ROUNDING_TOLERANCE)])


def thresholded_classes(predictions: Predictions) -> tuple[str, ...]:
    """Return the classes that need a threshold: of two classes the positive one, otherwise all but ``other_class``."""
    if len(predictions.classes) == 2:
        return (positive_class(predictions.classes),)
    return tuple(name for name in predictions.classes if name != predictions.other_class)


def positive_class(classes: tuple[str, ...]) -> str:
    """Return the positive one of two classes: melanoma, the one that is not called other or rest, or the second.

    Examples
    --------
    >>> positive_class(("MEL", "NV")), positive_class(("wart", "other")), positive_class(("no", "yes"))
    ('MEL', 'wart', 'yes')
    """
    first, second = classes
    is_first = canonical_or_raw(first) == "melanoma" or (
        second in OTHER_CLASS_NAMES and first not in OTHER_CLASS_NAMES
    )
    return first if is_first else second


def _class_sweep(predictions: Predictions, class_name: str) -> ThresholdSweep:
    if class_name not in predictions.classes:
        raise PredictionsError(unknown_name_message("class", class_name, predictions.classes))
    labeled = predictions.select(predictions.label != "")
    positive = labeled.label == class_name
    if not positive.any() or positive.all():
        missing = "no image of this class" if not positive.any() else "no image of another class"
        raise PredictionsError(f"no threshold can be tuned for {class_name}: there is {missing}")
    return threshold_sweep(positive, labeled.scores[:, labeled.classes.index(class_name)])


def parse_threshold(text: str) -> float | None:
    """Return a score from 0 to 1, or None if the text is a rule to tune thresholds (see `tune_thresholds`).

    Raises
    ------
    PredictionsError
        The text is neither.

    Examples
    --------
    >>> parse_threshold("0.3"), parse_threshold("youden"), parse_threshold("sensitivity:0.89")
    (0.3, None, None)
    """
    score = parse_float(text)
    if score is not None and 0 <= score <= 1:
        return score
    if _parse_rule(text) is not None:
        return None
    raise PredictionsError(
        f"the threshold {text!r} is neither a score from 0 to 1, such as 0.3, nor {_RULE_DESCRIPTION}{_suggest(text)}"
    )


_RULE_DESCRIPTION = "youden nor sensitivity:0.89"


class _Rule(NamedTuple):
    """Rule to tune a threshold, and the sensitivity to reach."""

    name: str
    sensitivity: float = math.nan


def _parse_rule(text: str) -> _Rule | None:
    name, _, number = text.partition(":")
    sensitivity = parse_float(number)
    if text == "youden":
        return _Rule(text)
    if name == "sensitivity" and sensitivity is not None and 0 < sensitivity <= 1:
        return _Rule(name, sensitivity)
    return None


def _suggest(text: str) -> str:
    """Return a hint for percent, decimal commas and misspelled rules."""
    name, separator, number = text.rpartition(":")
    value = parse_float(number.strip().removesuffix("%").replace(",", "."))
    if value is not None and (0 <= value <= 1 or 2 <= value <= 100):
        fraction = value / 100 if value > 1 or "%" in number else value
        suggested = f"{name}{separator}{fraction:g}"
        if not name or _parse_rule(suggested):
            return f". Did you mean {suggested}?"
    near = get_close_matches(text.casefold(), ("youden", "sensitivity:0.89"), n=1)
    return f". Did you mean {near[0]}?" if near else ""


def parse_float(text: str) -> float | None:
    """Parse a finite number; None if the text is not one."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None
