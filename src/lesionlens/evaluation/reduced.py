"""One question out of predictions of many classes: a class against the rest, or against one other class."""

from typing import NamedTuple

import numpy as np

from lesionlens.data.taxonomy import spelling
from lesionlens.errors import PredictionsError, unknown
from lesionlens.evaluation.metrics import ratio
from lesionlens.evaluation.multilabel import OTHERS
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.wording import readable


class Reduced(NamedTuple):
    """Predictions of two classes, the one that is sought second, and what to know about them."""

    predictions: Predictions
    notes: tuple[str, ...]


def reduced(predictions: Predictions, task: str) -> Reduced:
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
    >>> found = reduced(three, "a").predictions
    >>> found.classes, found.label.tolist(), found.scores.tolist()
    (('other', 'a'), ['other'], [[0.8, 0.2]])
    """
    if task == "all":
        return Reduced(predictions, ())
    names = [_class(name, predictions) for name in task.split("/")]
    if len(names) == 1:
        return Reduced(_against_rest(predictions, names[0]), ())
    if len(names) != 2 or names[0] == names[1]:
        raise PredictionsError(
            f"the task is {task!r}; allowed are all, CLASS, or CLASS/OTHER of two different classes"
        )
    return _against_one(predictions, *names)


def _class(name: str, predictions: Predictions) -> str:
    found = name if name in predictions.classes else spelling(name)
    if found not in predictions.classes:
        raise PredictionsError(unknown("task", name, ("all", *predictions.classes)))
    return found


def _against_rest(predictions: Predictions, name: str) -> Predictions:
    rest = next(each for each in OTHERS if each != name)
    score = predictions.scores[:, predictions.classes.index(name)]
    label = np.where(np.isin(predictions.label, [name, ""]), predictions.label, rest)
    return _two(predictions, label, np.column_stack([1 - score, score]), (rest, name))


def _against_one(predictions: Predictions, name: str, other: str) -> Reduced:
    kept = np.isin(predictions.label, [name, other, ""])
    if not kept.any():
        raise PredictionsError(f"no image is labelled {name} or {other}, so this task cannot be measured")
    few = predictions.select(kept)
    both = few.scores[:, [few.classes.index(other), few.classes.index(name)]]
    scores = np.nan_to_num(ratio(both, both.sum(axis=1, keepdims=True)), nan=0.5)
    left = int((~kept).sum())
    said = (
        f"{left} of {len(kept)} images are neither {readable(name)} nor {readable(other)} and are left out."
    )
    return Reduced(_two(few, few.label, scores, (other, name)), (said,) if left else ())


def _two(
    predictions: Predictions, label: np.ndarray, scores: np.ndarray, classes: tuple[str, str]
) -> Predictions:
    return Predictions(predictions.image_id, predictions.lesion_id, label, scores, classes)
