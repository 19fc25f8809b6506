"""Bootstrap samples of all metrics of predictions."""

from typing import NamedTuple

import numpy as np

from lesionlens.core.bootstrap import cluster_bootstrap_weights
from lesionlens.core.types import FloatArray
from lesionlens.evaluation.compute import ValuesByMetric, compute_metrics
from lesionlens.evaluation.metrics import tpr_at_fpr
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.thresholds import DecisionRule


class BootstrapMetrics(NamedTuple):
    """Resampled values of each metric, (r,), and true positive rates of each class on `FPR_GRID`, (r, g)."""

    values: ValuesByMetric
    tpr_curves: tuple[FloatArray, ...]


def bootstrap_metrics(
    predictions: Predictions, *, n_resamples: int, seed: int, decision: DecisionRule
) -> BootstrapMetrics:
    """Compute every metric on ``n_resamples`` (1 or more) bootstrap samples of the lesions."""
    values: list[ValuesByMetric] = []
    tpr_curves: list[list[FloatArray]] = []
    for weights in cluster_bootstrap_weights(predictions.lesion_id, n_resamples=n_resamples, seed=seed):
        chunk = compute_metrics(predictions, decision=decision, weights=weights)
        values.append(chunk.values)
        tpr_curves.append([tpr_at_fpr(sweep) for sweep in chunk.sweeps])
    joined = {key: np.concatenate([chunk_values[key] for chunk_values in values]) for key in values[0]}
    return BootstrapMetrics(joined, tuple(np.concatenate(curves) for curves in zip(*tpr_curves, strict=True)))
