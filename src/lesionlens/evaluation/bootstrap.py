"""Bootstrap over lesions: all images of a drawn lesion come along, so near-copies do not narrow an interval.

Field and Welsh 2007 (cluster bootstrap); Efron and Tibshirani 1993, chapter 13 (percentile interval).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.types import FloatArray
from lesionlens.evaluation.compute import ValuesByMetric, compute_metrics
from lesionlens.evaluation.metrics import tpr_at_fpr
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.thresholds import DecisionRule

CHUNK_SIZE = 1_000_000  # image weights held at a time: 8 MB for each array that a measure needs


class Interval(NamedTuple):
    """Bounds of a percentile interval, and the share of the replicates that do not define the measure."""

    low: float
    high: float
    undefined_fraction: float


def cluster_bootstrap_weights(
    lesion_id: NDArray[Any],
    *,
    n_resamples: int,
    seed: int,
    strata: NDArray[Any] | None = None,
    chunk_size: int = CHUNK_SIZE,
) -> Iterator[FloatArray]:
    """Draw as many lesions as there are, with replacement; give how often each image then counts.

    Parameters
    ----------
    lesion_id
        Lesion of each image, (n,).
    n_resamples
        Number of draws.
    seed
        Of the draws; they do not depend on ``chunk_size``.
    strata
        Draw as many lesions of each stratum as there are: that of each image, (n,), such as its class; a lesion is
        of its first image's. None: of all lesions together.
    chunk_size
        About how many weights to give at a time.

    Yields
    ------
    Weights of some replicates, (r, n), until there are ``n_resamples`` rows.
    """
    _, first, member = np.unique(lesion_id, return_index=True, return_inverse=True)
    lesions = len(first)
    kind = np.zeros(lesions) if strata is None else np.asarray(strata)[first]
    groups = [np.flatnonzero(kind == each) for each in np.unique(kind)]
    rng = np.random.default_rng(seed)
    rows = max(1, chunk_size // len(member))
    for start in range(0, n_resamples, rows):
        drawn = [
            np.bincount(
                np.concatenate([_sample_with_replacement(group, rng) for group in groups]), minlength=lesions
            )
            for _ in range(start, min(start + rows, n_resamples))
        ]
        yield np.stack(drawn)[:, member].astype(np.float64)


def _sample_with_replacement(group: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw as many of a group as there are, with replacement."""
    return group[rng.integers(len(group), size=len(group))]


def percentile_interval(values: FloatArray, *, confidence: float = 0.95) -> Interval:
    """Take the middle ``confidence`` of the replicates, (r,), in which the measure was defined.

    Both bounds are NaN where no replicate defines it.
    """
    defined = values[~np.isnan(values)]
    if not len(defined):
        return Interval(np.nan, np.nan, 1.0)
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(float(low), float(high), 1 - len(defined) / len(values))


class BootstrapMetrics(NamedTuple):
    """Values of each measure, (r,), and true positive rates of each class on the grid of rates, (r, g)."""

    values: ValuesByMetric
    tpr_curves: tuple[FloatArray, ...]


def bootstrap_metrics(
    predictions: Predictions, *, n_resamples: int, seed: int, decision: DecisionRule
) -> BootstrapMetrics:
    """Measure again and again on lesions drawn with replacement; ``n_resamples`` is at least 1."""
    parts: list[ValuesByMetric] = []
    rates: list[list[FloatArray]] = []
    for weights in cluster_bootstrap_weights(predictions.lesion_id, n_resamples=n_resamples, seed=seed):
        measured = compute_metrics(predictions, decision=decision, weights=weights)
        parts.append(measured.values)
        rates.append([tpr_at_fpr(each) for each in measured.sweeps])
    values = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return BootstrapMetrics(values, tuple(np.concatenate(each) for each in zip(*rates, strict=True)))
