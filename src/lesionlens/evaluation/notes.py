"""What a reader must know about a set of predictions before trusting its numbers."""

import numpy as np

from lesionlens.evaluation.multilabel import other_class_score
from lesionlens.evaluation.prediction_table import Predictions, format_examples
from lesionlens.evaluation.wording import display_name

_SUM_TOLERANCE = 1e-3  # scores written with three digits still sum to one


def dataset_caveats(predictions: Predictions, *, uses_argmax: bool = True) -> tuple[str, ...]:
    """Say what is unusual, one sentence each; none where nothing is.

    Parameters
    ----------
    uses_argmax
        Whether the largest score decides anything, so that equal ones are worth a word.
    """
    known = predictions.label != ""
    found = [_unlabeled_caveat(known), _absent_classes_caveat(predictions), _unknown_lesions_caveat(predictions), _other_class_caveat(predictions)]
    return tuple(filter(None, [*found, _score_sum_caveat(predictions), _tied_scores_caveat(predictions) if uses_argmax else ""]))


def _unlabeled_caveat(is_labeled: np.ndarray) -> str:
    missing = int((~is_labeled).sum())
    return f"{missing} of {len(is_labeled)} images have no label and are left out." if missing else ""


def _absent_classes_caveat(predictions: Predictions) -> str:
    there = set(map(str, predictions.label))
    absent = [name for name in predictions.classes if name not in there]
    return (
        f"No image of: {', '.join(map(display_name, absent))}; averages over classes leave these out."
        if absent
        else ""
    )


def _unknown_lesions_caveat(predictions: Predictions) -> str:
    if (predictions.lesion_id == predictions.image_id).all():
        return (
            "Lesions are not known: each image counts as its own lesion. If some images show "
            "the same lesion, the intervals are too narrow."
        )
    return ""


def _other_class_caveat(predictions: Predictions) -> str:
    if not predictions.other_class:
        return ""
    rest = predictions.classes.index(predictions.other_class)
    derived = np.allclose(
        predictions.scores[:, rest], other_class_score(np.delete(predictions.scores, rest, axis=1)), rtol=0
    )
    return (
        f"Averages of the classes leave out {display_name(predictions.other_class)}, which is none of those asked about"
        + ("; its score is one minus the largest of the others." if derived else ".")
    )


def _score_sum_caveat(predictions: Predictions) -> str:
    if predictions.other_class:
        return ""
    off = np.abs(predictions.scores.sum(axis=1) - 1) > _SUM_TOLERANCE
    if not off.any():
        return ""
    return f"The scores of {off.sum()} images do not sum to one: they are taken as independent scores."


def _tied_scores_caveat(predictions: Predictions) -> str:
    largest = predictions.scores.max(axis=1, keepdims=True)
    tied = (predictions.scores == largest).sum(axis=1) > 1
    if not tied.any():
        return ""
    return (
        f"{tied.sum()} images share their largest score between classes and count for the first of them: "
        f"{format_examples(predictions.image_id[tied])}."
    )
