"""Every measure of one set of predictions in one pass: for each class, and for all images together."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.evaluation import metrics
from lesionlens.evaluation.decision import Decision, decide, right
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.sweep import Bools, Floats, Sweep, sweep

Values = dict[tuple[str, str], Floats]

MACRO = "macro"
WEIGHTED = "weighted"
ALL = "all"
RANKING = ("auc", "average_precision")  # need scores
DECIDED = ("sensitivity", "specificity", "precision", "f1", "accuracy")  # need a decision
_OF_COUNTS = {name: getattr(metrics, name) for name in (*DECIDED, "support", "decided")}


class Measured(NamedTuple):
    """Values by (metric, class or "all"), each (…,), and the sweeps that they were read from.

    Among the values are "support" and "decided": how many images are of a class, and decided for it.
    """

    values: Values
    sweeps: tuple[Sweep, ...]


def measure(predictions: Predictions, *, decision: Decision, weights: NDArray[Any] | None = None) -> Measured:
    """Compute every measure for each row of ``weights``, (…, n); every image is labelled.

    Averages are left to `macro` and `weighted`, for the caller knows which classes can be averaged.
    """
    targets = predictions.targets()
    positive = targets[:, None] == np.arange(len(predictions.classes))
    found = metrics.counts(positive, decide(predictions.scores, predictions.classes, decision), weights)
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
    hit = right(predictions.scores, targets, predictions.classes, decision)
    return Measured(values | _overall(positive, hit, weights), sweeps)


def macro(values: Values, metric: str, classes: tuple[str, ...]) -> Floats:
    """Average a metric over classes, (…,); NaN wherever one of them is."""
    return np.asarray(np.mean([values[metric, name] for name in classes], axis=0))


def weighted(values: Values, metric: str, classes: tuple[str, ...]) -> Floats:
    """Average over classes by their numbers of images, (…,); NaN wherever one of them is."""
    return _weighted(values, metric, classes, "support")


def weighted_by_decided(values: Values, metric: str, classes: tuple[str, ...]) -> Floats:
    """Average over classes by the numbers of images decided for them, (…,); NaN wherever one of them is."""
    return _weighted(values, metric, classes, "decided")


def _weighted(values: Values, metric: str, classes: tuple[str, ...], by: str) -> Floats:
    each, shares = (np.stack([values[what, name] for name in classes]) for what in (metric, by))
    return metrics.ratio((each * shares).sum(axis=0), shares.sum(axis=0))


class Average(NamedTuple):
    """A number over classes: its name and what it is of, the metric that is averaged, and how."""

    metric: str
    of: str
    averaged: str
    how: Callable[[Values, str, tuple[str, ...]], Floats]


AVERAGES = (
    *(
        Average(name, of, name, how)
        for name in (*RANKING, *DECIDED)
        for of, how in ((MACRO, macro), (WEIGHTED, weighted))
    ),
    Average("f1_swapped", WEIGHTED, "f1", weighted_by_decided),
)
"""Every average that an evaluation gives. ``f1_swapped`` is what scikit-learn gives for truth and prediction in the
wrong order, as Gessert et al. 2019 computed it."""


def _overall(positive: Bools, hit: Bools, weights: NDArray[Any] | None) -> Values:
    """Share of all images that are right, and the mean of that share over the classes with images."""
    recall = metrics.sensitivity(metrics.counts(positive, positive & hit[:, None], weights))
    there = positive.any(axis=0)
    share = metrics.counts(np.ones((len(hit), 1), dtype=bool), hit[:, None], weights)
    return {
        ("accuracy", ALL): metrics.sensitivity(share)[..., 0],
        ("balanced_accuracy", ALL): recall[..., there].mean(axis=-1),
    }
