"""Reduce multi-class predictions to a binary task: a class against the rest, or against one other class."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from lesionlens.core.errors import DataError, PredictionsError
from lesionlens.core.task_names import parse_task
from lesionlens.core.types import FloatArray, StrArray
from lesionlens.evaluation.calibrated_columns import lost_fields_caveats, optional_fields
from lesionlens.evaluation.formatting import display_name
from lesionlens.evaluation.metrics import safe_divide
from lesionlens.evaluation.predictions import OTHER_CLASS_NAMES, Predictions


class BinaryTask(NamedTuple):
    """Predictions of two classes, the positive class second; the classes of the task, and caveats.

    ``classes`` are the class against the rest, or two classes, the positive one first; empty for ``all``.
    """

    predictions: Predictions
    classes: tuple[str, ...]
    caveats: tuple[str, ...]


def to_binary_task(predictions: Predictions, task: str) -> BinaryTask:
    """Reduce predictions of any classes to a binary task.

    Parameters
    ----------
    predictions
        Predictions of two or more classes.
    task
        A class against the rest (``melanoma``): its score is unchanged, and the rest has one minus it. Or a class
        against another (``seborrheic_keratosis/nevus``): only the images of these two classes, with the scores
        a / (a + b), the probabilities given that no other class is possible; 0.5 if both are 0. ``all`` returns the
        predictions unchanged. Calibrated scores are reduced likewise against the rest; prediction sets are of all
        classes, so that a binary task has none. ``class:NAME`` is always the class of this name against the rest (see
        `parse_task`).

    Raises
    ------
    PredictionsError
        A class does not exist, or no image is of either class.

    Examples
    --------
    >>> three = Predictions(["x"], ["x"], ["b"], [[0.2, 0.3, 0.5]], ("a", "b", "c"))
    >>> binary = to_binary_task(three, "a").predictions
    >>> binary.classes, binary.label.tolist(), binary.scores.tolist()
    (('other', 'a'), ['other'], [[0.8, 0.2]])
    """
    try:
        kind, classes = parse_task(task, predictions.classes)
    except DataError as error:
        raise PredictionsError(str(error)) from error
    if kind == "multilabel":
        raise PredictionsError(f"the task is {task!r}; allowed are all, CLASS, or CLASS/OTHER of two classes")
    if kind == "all":
        return BinaryTask(predictions, (), ())
    task_of = _one_vs_one if kind == "one-vs-one" else _one_vs_rest
    reduced = task_of(predictions, *classes)
    lost = lost_fields_caveats([optional_fields(predictions)], optional_fields(reduced.predictions))
    return reduced._replace(caveats=(*reduced.caveats, *lost))


def _one_vs_rest(predictions: Predictions, positive: str) -> BinaryTask:
    rest = next(name for name in OTHER_CLASS_NAMES if name != positive)
    score = predictions.scores[:, predictions.classes.index(positive)]
    label = np.where(np.isin(predictions.label, [positive, ""]), predictions.label, rest)
    binary = _binary_predictions(predictions, label, np.column_stack([1 - score, score]), (rest, positive))
    if predictions.calibrated_scores is not None:
        calibrated = predictions.calibrated_scores[:, predictions.classes.index(positive)]
        binary = replace(binary, calibrated_scores=np.column_stack([1 - calibrated, calibrated]))
    return BinaryTask(binary, (positive,), ())


def _one_vs_one(predictions: Predictions, positive: str, negative: str) -> BinaryTask:
    included = np.isin(predictions.label, [positive, negative, ""])
    if not included.any():
        raise PredictionsError(
            f"no image has the label {positive} or {negative}: this task cannot be evaluated"
        )
    subset = predictions.select(included)
    pair = subset.scores[:, [subset.classes.index(negative), subset.classes.index(positive)]]
    scores = np.nan_to_num(safe_divide(pair, pair.sum(axis=1, keepdims=True)), nan=0.5)
    binary = _binary_predictions(subset, subset.label, scores, (negative, positive))
    excluded = int((~included).sum())
    caveat = (
        f"{excluded} of {len(included)} images are neither {display_name(positive)} nor {display_name(negative)} and "
        "are excluded."
    )
    return BinaryTask(binary, (positive, negative), (caveat,) if excluded else ())


def _binary_predictions(
    predictions: Predictions, label: StrArray, scores: FloatArray, classes: tuple[str, str]
) -> Predictions:
    return Predictions(
        predictions.image_id,
        predictions.lesion_id,
        label,
        scores,
        classes,
        caveats=predictions.caveats,
        abstain=predictions.abstain,
        ood_percentile=predictions.ood_percentile,
    )
