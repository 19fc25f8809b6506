"""One question out of predictions of many classes: a class against the rest, or against one other class."""

from typing import NamedTuple

import numpy as np

from lesionlens.core.errors import PredictionsError, unknown_name_message
from lesionlens.core.taxonomy import canonical_or_raw
from lesionlens.evaluation.formatting import display_name
from lesionlens.evaluation.metrics import safe_divide
from lesionlens.evaluation.predictions import OTHER_CLASS_NAMES, Predictions


class BinaryTask(NamedTuple):
    """Predictions of two classes, the one that is sought second, and what to know about them."""

    predictions: Predictions
    caveats: tuple[str, ...]


def to_binary_task(predictions: Predictions, task: str) -> BinaryTask:
    """Reduce predictions of any classes to one question of two.

    Parameters
    ----------
    task
        A class against the rest (``melanoma``): its score stays and the rest has one minus it. Or a class against one
        other (``seborrheic_keratosis/nevus``): of the images of these two, with the scores a / (a + b), which are the
        probabilities if no other class could be; 0.5 where both are 0. ``all`` changes nothing.

    Raises
    ------
    PredictionsError
        There is no such class, or no image of either.

    Examples
    --------
    >>> three = Predictions(["x"], ["x"], ["b"], [[0.2, 0.3, 0.5]], ("a", "b", "c"))
    >>> found = to_binary_task(three, "a").predictions
    >>> found.classes, found.label.tolist(), found.scores.tolist()
    (('other', 'a'), ['other'], [[0.8, 0.2]])
    """
    if task == "all":
        return BinaryTask(predictions, ())
    names = [_resolve_task_class(name, predictions) for name in task.split("/")]
    if len(names) == 1:
        return BinaryTask(_one_vs_rest(predictions, names[0]), ())
    if len(names) != 2 or names[0] == names[1]:
        raise PredictionsError(
            f"the task is {task!r}; allowed are all, CLASS, or CLASS/OTHER of two different classes"
        )
    return _one_vs_one(predictions, *names)


def _resolve_task_class(name: str, predictions: Predictions) -> str:
    found = name if name in predictions.classes else canonical_or_raw(name)
    if found not in predictions.classes:
        raise PredictionsError(unknown_name_message("task", name, ("all", *predictions.classes)))
    return found


def _one_vs_rest(predictions: Predictions, positive: str) -> Predictions:
    rest = next(each for each in OTHER_CLASS_NAMES if each != positive)
    score = predictions.scores[:, predictions.classes.index(positive)]
    label = np.where(np.isin(predictions.label, [positive, ""]), predictions.label, rest)
    return _binary_predictions(predictions, label, np.column_stack([1 - score, score]), (rest, positive))


def _one_vs_one(predictions: Predictions, positive: str, negative: str) -> BinaryTask:
    kept = np.isin(predictions.label, [positive, negative, ""])
    if not kept.any():
        raise PredictionsError(
            f"no image is labelled {positive} or {negative}, so this task cannot be measured"
        )
    few = predictions.select(kept)
    both = few.scores[:, [few.classes.index(negative), few.classes.index(positive)]]
    scores = np.nan_to_num(safe_divide(both, both.sum(axis=1, keepdims=True)), nan=0.5)
    left = int((~kept).sum())
    names = f"{display_name(positive)} nor {display_name(negative)}"
    said = f"{left} of {len(kept)} images are neither {names} and are left out."
    return BinaryTask(
        _binary_predictions(few, few.label, scores, (negative, positive)), (said,) if left else ()
    )


def _binary_predictions(
    predictions: Predictions, label: np.ndarray, scores: np.ndarray, classes: tuple[str, str]
) -> Predictions:
    return Predictions(predictions.image_id, predictions.lesion_id, label, scores, classes)
