"""The numbers that choose a checkpoint: the same measures as in the evaluation, without intervals."""

import numpy as np
from numpy.typing import NDArray

from lesionlens.evaluation.measures import macro, compute_metrics
from lesionlens.evaluation.multilabel import multilabel_predictions
from lesionlens.evaluation.prediction_table import Predictions


def validation_metrics(
    targets: NDArray[np.int64], scores: NDArray[np.floating], *, multilabel: bool = False
) -> dict[str, float]:
    """Measure one pass over the validation part.

    Parameters
    ----------
    targets
        Class of each image, (n,).
    scores
        Averaged probabilities, (n, k).
    multilabel
        Scores are of classes 1 and on; 0 is none of them.

    Returns
    -------
    ``auc``: mean over the classes that the part holds, each against the rest; ``balanced_accuracy``; ``accuracy``.

    Examples
    --------
    >>> validation_metrics(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
    {'auc': 1.0, 'balanced_accuracy': 0.75, 'accuracy': 0.6666666666666666}
    """
    names = np.array([str(k) for k in range(scores.shape[1] + multilabel)])
    ids, safe = np.arange(len(targets)).astype(str), np.clip(scores.astype(np.float64), 0, 1)
    if multilabel:
        known = multilabel_predictions(ids, ids, names[targets], safe, tuple(names[1:]), other_class="0")
    else:
        known = Predictions(ids, ids, names[targets], safe, tuple(names))
    values = compute_metrics(known, decision="argmax").values
    held = tuple(names[k] for k in np.unique(targets) if names[k] != known.other_class)
    auc = macro(values, "auc", held) if len(np.unique(targets)) > 1 else np.float64(np.nan)
    whole = {name: float(values[name, "all"]) for name in ("balanced_accuracy", "accuracy")}
    return {"auc": float(auc), **whole}
