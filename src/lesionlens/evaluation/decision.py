"""From scores to decisions: the largest score, every score above a half, or a threshold for each class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lesionlens.errors import PredictionsError, unknown_name_message
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.sweep import BoolArray, FloatArray


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


DecisionRule: TypeAlias = Literal["argmax", "half"] | Thresholds
RULES = ("argmax", "half")


def predict_labels(scores: FloatArray, classes: Sequence[str], decision: DecisionRule) -> BoolArray:
    """Say for which classes each image is decided, (n, k).

    "argmax": the class of the largest score, the first of equal ones. "half": every class whose score exceeds
    0.5, as the official ISIC scorer decides. With "half" or thresholds an image may be of no class or of several.
    """
    if isinstance(decision, Thresholds):
        return _reaches_threshold(scores, classes, decision.values)
    largest = scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1])
    return scores > 0.5 if decision == "half" else np.asarray(largest)


def is_correct(scores: FloatArray, targets: NDArray[np.intp], classes: Sequence[str], decision: DecisionRule) -> BoolArray:
    """Say which images are given their true class, (n,).

    By the largest score, also under "half"; there an image whose largest score is shared is undecided and so
    wrong, as the official ISIC scorer has it. With thresholds an image is right that is decided for its class alone.
    """
    if isinstance(decision, Thresholds):
        decided = predict_labels(scores, classes, decision)
        return np.asarray(decided[np.arange(len(targets)), targets] & (decided.sum(axis=1) == 1))
    hit: BoolArray = scores.argmax(axis=1) == targets
    if decision == "half":
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


def _reaches_threshold(scores: FloatArray, classes: Sequence[str], thresholds: Mapping[str, float]) -> BoolArray:
    decided = scores >= np.array([thresholds.get(name, np.inf) for name in classes])
    for k, name in enumerate(classes):
        if name not in thresholds:
            decided[:, k] = ~decided.any(axis=1)
    return np.asarray(decided)
