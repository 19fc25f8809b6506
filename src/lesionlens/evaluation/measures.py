"""Every measure of one set of predictions in one pass: for each class, and for all images together."""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.evaluation import metrics
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.sweep import Bools, Floats, Sweep, sweep

Decision = Literal["argmax", "half"]
Values = dict[tuple[str, str], Floats]

MACRO = "macro"
ALL = "all"
RANKING = ("auc", "average_precision")  # need scores
DECIDED = ("sensitivity", "specificity", "precision", "f1", "accuracy")  # need a decision
_OF_COUNTS = {name: getattr(metrics, name) for name in DECIDED}


class Measured(NamedTuple):
    """Values by (metric, class, "macro" or "all"), each (…,), and the sweeps that they were read from."""

    values: Values
    sweeps: tuple[Sweep, ...]


def decide(scores: Floats, decision: Decision) -> Bools:
    """Say for which classes each image is decided, (n, k).

    "argmax": the class of the largest score, the first of equal ones. "half": every class whose score exceeds
    0.5, as the official ISIC scorer decides; an image may then be of no class or of several.
    """
    largest = scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1])
    return scores > 0.5 if decision == "half" else np.asarray(largest)


def right(scores: Floats, targets: NDArray[np.intp], decision: Decision) -> Bools:
    """Say which images are given their true class, (n,).

    By the largest score under either decision; under "half" an image whose largest score is shared is
    undecided and so wrong, as the official ISIC scorer has it.
    """
    hit: Bools = scores.argmax(axis=1) == targets
    if decision == "half":
        hit = hit & ((scores == scores.max(axis=1, keepdims=True)).sum(axis=1) == 1)
    return hit


def measure(predictions: Predictions, *, decision: Decision, weights: NDArray[Any] | None = None) -> Measured:
    """Compute every measure for each row of ``weights``, (…, n); every image is labelled.

    Macro averages are left to `macro`, for the caller knows which classes can be averaged.
    """
    targets = predictions.targets()
    positive = targets[:, None] == np.arange(len(predictions.classes))
    found = metrics.counts(positive, decide(predictions.scores, decision), weights)
    sweeps = tuple(
        sweep(positive[:, k], predictions.scores[:, k], weights) for k in range(len(predictions.classes))
    )
    values: Values = {}
    for k, name in enumerate(predictions.classes):
        values["auc", name] = metrics.auc(sweeps[k])
        values["average_precision", name] = metrics.average_precision(sweeps[k])
    for metric, function in _OF_COUNTS.items():
        each = function(found)
        values |= {(metric, name): each[..., k] for k, name in enumerate(predictions.classes)}
    hit = right(predictions.scores, targets, decision)
    return Measured(values | _overall(positive, hit, weights), sweeps)


def macro(values: Values, metric: str, classes: tuple[str, ...]) -> Floats:
    """Average a metric over classes, (…,); NaN wherever one of them is."""
    return np.asarray(np.mean([values[metric, name] for name in classes], axis=0))


def _overall(positive: Bools, hit: Bools, weights: NDArray[Any] | None) -> Values:
    """Share of all images that are right, and the mean of that share over the classes with images."""
    recall = metrics.sensitivity(metrics.counts(positive, positive & hit[:, None], weights))
    there = positive.any(axis=0)
    share = metrics.counts(np.ones((len(hit), 1), dtype=bool), hit[:, None], weights)
    return {
        ("accuracy", ALL): metrics.sensitivity(share)[..., 0],
        ("balanced_accuracy", ALL): recall[..., there].mean(axis=-1),
    }
