"""What a reader must know about a set of predictions before trusting its numbers."""

import numpy as np

from lesionlens.evaluation.multilabel import rest_score
from lesionlens.evaluation.prediction_table import Predictions, examples
from lesionlens.evaluation.wording import readable

_SUM_TOLERANCE = 1e-3  # scores written with three digits still sum to one


def notes(predictions: Predictions, *, largest: bool = True) -> tuple[str, ...]:
    """Say what is unusual, one sentence each; none where nothing is.

    Parameters
    ----------
    largest
        Whether the largest score decides anything, so that equal ones are worth a word.
    """
    known = predictions.label != ""
    found = [_unlabelled(known), _absent(predictions), _lesions(predictions), _rest(predictions)]
    return tuple(filter(None, [*found, _sums(predictions), _ties(predictions) if largest else ""]))


def _unlabelled(known: np.ndarray) -> str:
    missing = int((~known).sum())
    return f"{missing} of {len(known)} images have no label and are left out." if missing else ""


def _absent(predictions: Predictions) -> str:
    there = set(map(str, predictions.label))
    absent = [name for name in predictions.classes if name not in there]
    return (
        f"No image of: {', '.join(map(readable, absent))}; averages over classes leave these out."
        if absent
        else ""
    )


def _lesions(predictions: Predictions) -> str:
    if (predictions.lesion_id == predictions.image_id).all():
        return (
            "Lesions are not known: each image counts as its own lesion. If some images show "
            "the same lesion, the intervals are too narrow."
        )
    return ""


def _rest(predictions: Predictions) -> str:
    if not predictions.rest:
        return ""
    rest = predictions.classes.index(predictions.rest)
    derived = np.allclose(
        predictions.scores[:, rest], rest_score(np.delete(predictions.scores, rest, axis=1)), rtol=0
    )
    return (
        f"Averages of the classes leave out {readable(predictions.rest)}, which is none of those asked about"
        + ("; its score is one minus the largest of the others." if derived else ".")
    )


def _sums(predictions: Predictions) -> str:
    if predictions.rest:
        return ""
    off = np.abs(predictions.scores.sum(axis=1) - 1) > _SUM_TOLERANCE
    if not off.any():
        return ""
    return f"The scores of {off.sum()} images do not sum to one: they are taken as independent scores."


def _ties(predictions: Predictions) -> str:
    largest = predictions.scores.max(axis=1, keepdims=True)
    tied = (predictions.scores == largest).sum(axis=1) > 1
    if not tied.any():
        return ""
    return (
        f"{tied.sum()} images share their largest score between classes and count for the first of them: "
        f"{examples(predictions.image_id[tied])}."
    )
