"""The numbers that choose a checkpoint: the same measures as in the evaluation, without intervals."""

import numpy as np
from numpy.typing import NDArray

from lesionlens.evaluation.measures import macro, measure
from lesionlens.evaluation.prediction_table import Predictions


def validation_metrics(targets: NDArray[np.int64], scores: NDArray[np.floating]) -> dict[str, float]:
    """Measure one pass over the validation part.

    Parameters
    ----------
    targets
        Class of each image, (n,).
    scores
        Averaged probabilities, (n, k).

    Returns
    -------
    ``auc``: mean over the classes that the part holds, each against the rest; ``balanced_accuracy``.

    Examples
    --------
    >>> validation_metrics(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
    {'auc': 1.0, 'balanced_accuracy': 0.75}
    """
    names = np.array([str(k) for k in range(scores.shape[1])])
    ids = np.arange(len(targets)).astype(str)
    known = Predictions(ids, ids, names[targets], np.clip(scores.astype(np.float64), 0, 1), tuple(names))
    values = measure(known, decision="argmax").values
    held = tuple(names[k] for k in np.unique(targets))
    auc = macro(values, "auc", held) if len(held) > 1 else np.float64(np.nan)
    return {"auc": float(auc), "balanced_accuracy": float(values["balanced_accuracy", "all"])}
