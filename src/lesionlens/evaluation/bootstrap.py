"""Bootstrap samples of all metrics of predictions."""

from collections.abc import Hashable
from typing import NamedTuple, TypeVar

import numpy as np

from lesionlens.core.bootstrap import cluster_bootstrap_weights
from lesionlens.core.types import FloatArray
from lesionlens.evaluation.compute import ValuesByMetric, compute_metrics, scored_images
from lesionlens.evaluation.metrics import tpr_at_fpr
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.score_curves import CurveKey, compute_score_curves
from lesionlens.evaluation.thresholds import DecisionRule

Key = TypeVar("Key", bound=Hashable)


class BootstrapMetrics(NamedTuple):
    """Resampled values of each metric, (r,), and ordinates of curves, (r, g).

    Attributes
    ----------
    values
        Values by metric and scope.
    tpr_curves
        True positive rates of each class on `FPR_GRID`.
    score_curves
        Ordinates of the curves of `compute_score_curves`.
    """

    values: ValuesByMetric
    tpr_curves: tuple[FloatArray, ...]
    score_curves: dict[CurveKey, FloatArray]


def bootstrap_metrics(
    predictions: Predictions, *, n_resamples: int, seed: int, decision: DecisionRule
) -> BootstrapMetrics:
    """Compute every metric on ``n_resamples`` (1 or more) bootstrap samples of the lesions."""
    values: list[ValuesByMetric] = []
    tpr_curves: list[dict[int, FloatArray]] = []
    score_curves: list[dict[CurveKey, FloatArray]] = []
    images = scored_images(predictions)
    for weights in cluster_bootstrap_weights(predictions.lesion_id, n_resamples=n_resamples, seed=seed):
        chunk = compute_metrics(predictions, decision=decision, weights=weights, images=images)
        values.append(chunk.values)
        tpr_curves.append(dict(enumerate(map(tpr_at_fpr, chunk.sweeps))))
        score_curves.append(compute_score_curves(images, predictions.classes, weights))
    return BootstrapMetrics(
        _concatenate(values), tuple(_concatenate(tpr_curves).values()), _concatenate(score_curves)
    )


def _concatenate(chunks: list[dict[Key, FloatArray]]) -> dict[Key, FloatArray]:
    """Return the arrays of all chunks by their key."""
    return {key: np.concatenate([chunk[key] for chunk in chunks]) for key in chunks[0]}
