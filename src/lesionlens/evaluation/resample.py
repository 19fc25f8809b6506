"""Every measure in every bootstrap replicate, some replicates at a time to keep memory bounded."""

from typing import NamedTuple

import numpy as np

from lesionlens.evaluation.curves import tpr_at_fpr
from lesionlens.evaluation.decision import DecisionRule
from lesionlens.evaluation.intervals import cluster_bootstrap_weights
from lesionlens.evaluation.measures import ValuesByMetric, compute_metrics
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.sweep import FloatArray


class BootstrapMetrics(NamedTuple):
    """Values of each measure, (r,), and true positive rates of each class on the grid of rates, (r, g)."""

    values: ValuesByMetric
    tpr_curves: tuple[FloatArray, ...]


def bootstrap_metrics(predictions: Predictions, *, n_resamples: int, seed: int, decision: DecisionRule) -> BootstrapMetrics:
    """Measure again and again on lesions drawn with replacement; ``n_resamples`` is at least 1."""
    parts: list[ValuesByMetric] = []
    rates: list[list[FloatArray]] = []
    for weights in cluster_bootstrap_weights(predictions.lesion_id, n_resamples=n_resamples, seed=seed):
        measured = compute_metrics(predictions, decision=decision, weights=weights)
        parts.append(measured.values)
        rates.append([tpr_at_fpr(each) for each in measured.sweeps])
    values = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return BootstrapMetrics(values, tuple(np.concatenate(each) for each in zip(*rates, strict=True)))
