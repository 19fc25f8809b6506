"""Every measure in every bootstrap replicate, some replicates at a time to keep memory bounded."""

from typing import NamedTuple

import numpy as np

from lesionlens.evaluation.curves import tpr_at
from lesionlens.evaluation.decision import Decision
from lesionlens.evaluation.intervals import lesion_weights
from lesionlens.evaluation.measures import Values, measure
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.sweep import Floats


class Resampled(NamedTuple):
    """Values of each measure, (r,), and true positive rates of each class on the grid of rates, (r, g)."""

    values: Values
    rates: tuple[Floats, ...]


def resample(predictions: Predictions, *, replicates: int, seed: int, decision: Decision) -> Resampled:
    """Measure again and again on lesions drawn with replacement; ``replicates`` is at least 1."""
    parts: list[Values] = []
    rates: list[list[Floats]] = []
    for weights in lesion_weights(predictions.lesion_id, replicates=replicates, seed=seed):
        measured = measure(predictions, decision=decision, weights=weights)
        parts.append(measured.values)
        rates.append([tpr_at(each) for each in measured.sweeps])
    values = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return Resampled(values, tuple(np.concatenate(each) for each in zip(*rates, strict=True)))
