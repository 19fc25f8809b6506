"""The true class of each image, from a file of its own, joined to predictions by the image's name."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lesionlens.data.taxonomy import canonical
from lesionlens.errors import DataError, PredictionsError, unknown
from lesionlens.evaluation.columns import Columns, numbers, read_columns
from lesionlens.evaluation.formats import ISIC2017, ISIC2018, official, official_ids, official_scores
from lesionlens.evaluation.prediction_table import Predictions, Texts, examples

_REST = ("other", "rest")  # the negative class of a task of one diagnosis against the rest


class Truth(NamedTuple):
    """Labels, and lesions where the file knows them: image_id, label and lesion_id, each (n,)."""

    image_id: Texts
    label: Texts
    lesion_id: Texts


def read_truth(path: Path) -> Truth:
    """Read an official ground truth (ISIC 2017 or 2018) or a CSV with image_id, label[, lesion_id].

    The column of labels may also be called diagnosis or, as in HAM10000, dx. An image whose ``score_weight``
    is zero in an official ground truth does not count: its label is "".

    Raises
    ------
    PredictionsError
        None of these formats, an image that comes twice, or an official row that is not of exactly one class.
    """
    columns = read_columns(path)
    kind = official(columns, path)
    if kind:
        return _unique(_official_truth(columns, kind, path), path)
    label = next((name for name in ("label", "diagnosis", "dx") if name in columns), "")
    if "image_id" not in columns or not label:
        raise PredictionsError(
            f"{path} has the columns {', '.join(columns)}, which are no truth. Allowed are "
            f"image_id,label[,lesion_id], image,{','.join(ISIC2018)} (ISIC 2018) and "
            f"image_id,{','.join(ISIC2017)} (ISIC 2017)."
        )
    ids = np.array(columns["image_id"])
    lesions = np.array(columns.get("lesion_id", [""] * len(ids)))
    return _unique(Truth(ids, np.array(columns[label]), lesions), path)


def with_truth(predictions: Predictions, truth: Truth) -> Predictions:
    """Give every predicted image its label and, where the truth knows it, its lesion.

    Raises
    ------
    PredictionsError
        The two name different images, or a label is of no class of the predictions.
    """
    _check_same_images(predictions.image_id, truth.image_id)
    place = {str(name): index for index, name in enumerate(truth.image_id)}
    order = np.array([place[str(name)] for name in predictions.image_id])
    classes = {str(name): class_of(str(name), predictions.classes) for name in np.unique(truth.label)}
    lesion = truth.lesion_id[order]
    return Predictions(
        predictions.image_id,
        np.where(lesion == "", predictions.lesion_id, lesion),
        np.array([classes[str(name)] for name in truth.label[order]]),
        predictions.scores,
        predictions.classes,
        rest=predictions.rest,
    )


def class_of(label: str, classes: Sequence[str]) -> str:
    """Find the class of a label: by its name, by its official code, or else as "other" where there is one.

    Raises
    ------
    PredictionsError
        No class fits.

    Examples
    --------
    >>> class_of("MEL", ["melanoma", "nevus"]), class_of("NV", ["other", "melanoma"])
    ('melanoma', 'other')
    """
    if label in classes or not label:
        return label
    try:
        name = canonical(label)
    except DataError:
        raise PredictionsError(unknown("label", label, classes)) from None
    if name in classes:
        return name
    rest = next((each for each in _REST if each in classes), None)
    if rest is None:
        raise PredictionsError(unknown("label", label, classes))
    return rest


def _official_truth(columns: Columns, kind: str, path: Path) -> Truth:
    ids = official_ids(columns, kind)
    scores, classes = official_scores(columns, kind, path)
    wrong = (~np.isin(scores, (0.0, 1.0)).all(axis=1)) | (scores.sum(axis=1) != 1)
    if wrong.any():
        raise PredictionsError(
            f"{path}: {wrong.sum()} images are not of exactly one class: {examples(ids[wrong])}. "
            "A ground truth holds 1.0 for the true class and 0.0 for the others."
        )
    label = np.array(classes)[scores.argmax(axis=1)]
    if "score_weight" in columns:
        label = np.where(numbers(columns, ("score_weight",), path)[:, 0] == 0, "", label)
    return Truth(ids, label, np.full(len(ids), ""))


def _unique(truth: Truth, path: Path) -> Truth:
    names, counts = np.unique(truth.image_id, return_counts=True)
    if (counts > 1).any():
        raise PredictionsError(
            f"{path}: images come more than once: {examples(names[counts > 1])}; keep one row each"
        )
    return truth


def _check_same_images(predicted: Texts, true: Texts) -> None:
    without_truth = np.setdiff1d(predicted, true)
    without_scores = np.setdiff1d(true, predicted)
    found = []
    if len(without_truth):
        found.append(f"{len(without_truth)} predicted images have no truth ({examples(without_truth)})")
    if len(without_scores):
        found.append(
            f"{len(without_scores)} images of the truth have no prediction ({examples(without_scores)})"
        )
    if found:
        raise PredictionsError(
            f"predictions and truth name different images: {'; '.join(found)}. Give both for the same "
            "images: leaving some out would change the result."
        )
