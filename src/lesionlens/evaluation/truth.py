"""The true class of each image, from a file of its own, joined to predictions by the image's name."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lesionlens.data.sheet import is_missing
from lesionlens.data.taxonomy import canonical
from lesionlens.errors import DataError, PredictionsError, unknown
from lesionlens.evaluation.columns import Columns, numbers, read_columns
from lesionlens.evaluation.formats import ISIC2017, ISIC2018, official, official_ids, official_scores
from lesionlens.evaluation.image_names import matching
from lesionlens.evaluation.multilabel import OTHERS
from lesionlens.evaluation.prediction_table import Predictions, Texts, examples

_IMAGE = ("image_id", "image", "path")
_LABEL = ("diagnosis", "label", "dx")


class Truth(NamedTuple):
    """Labels, and lesions where the file knows them: image_id, label and lesion_id, each (n,)."""

    image_id: Texts
    label: Texts
    lesion_id: Texts


def read_truth(path: Path) -> Truth:
    """Read an official ground truth (ISIC 2017 or 2018) or a table with image, label[, lesion_id].

    The columns may be called as in a table of images, in any case: image_id or path for the image, diagnosis
    or, as in HAM10000, dx for the label. An image whose ``score_weight`` is zero in an official ground truth
    does not count: its label is "".

    Raises
    ------
    PredictionsError
        None of these formats, an image that comes twice, or an official row that is not of exactly one class.
    """
    columns = read_columns(path)
    kind = official(columns, path)
    if kind:
        return _unique(_official_truth(columns, kind, path), path)
    cells = {name.lower(): found for name, found in columns.items()}
    image = next((name for name in _IMAGE if name in cells), "")
    label = next((name for name in _LABEL if name in cells), "")
    if not image or not label:
        raise PredictionsError(
            f"{path} has the columns {', '.join(columns)}, which are no truth. Allowed are "
            f"image,label[,lesion_id], image,{','.join(ISIC2018)} (ISIC 2018) and "
            f"image_id,{','.join(ISIC2017)} (ISIC 2017)."
        )
    lesions = ["" if is_missing(cell) else cell for cell in cells.get("lesion_id", [""] * len(cells[image]))]
    return _unique(Truth(np.array(cells[image]), np.array(cells[label]), np.array(lesions)), path)


def with_truth(predictions: Predictions, truth: Truth) -> Predictions:
    """Give every predicted image its label and, where the truth knows it, its lesion.

    Images are compared by name, without folders and image endings where only so they match.

    Raises
    ------
    PredictionsError
        The two name different images, or a label is of no class of the predictions.
    """
    predicted, true = matching(predictions.image_id, truth.image_id)
    _check_same_images(predicted, true)
    place = {str(name): index for index, name in enumerate(true)}
    order = np.array([place[str(name)] for name in predicted])
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
    """Find the class of a label: by its name in any spelling, by its official code, or else as "other".

    A label that says nothing ("", "unknown") is "" unless it is a class.

    Raises
    ------
    PredictionsError
        No class fits.

    Examples
    --------
    >>> class_of("MEL", ["melanoma", "nevus"]), class_of("NV", ["other", "melanoma"])
    ('melanoma', 'other')
    >>> class_of("Spitz nevus", ["spitz_nevus", "wart"])
    'spitz_nevus'
    """
    if label in classes:
        return label
    if is_missing(label):
        return ""
    diagnosis = _diagnosis(label)
    same = [each for each in classes if (_diagnosis(each) or _plain(each)) == (diagnosis or _plain(label))]
    if len(same) == 1:
        return same[0]
    rest = next((each for each in OTHERS if each in classes), None)
    if rest is None or not diagnosis or same:
        raise PredictionsError(unknown("label", label, classes))
    return rest


def _diagnosis(label: str) -> str:
    """Give the taxonomy's name, or "" for a label of one's own."""
    try:
        return canonical(label)
    except DataError:
        return ""


def _plain(label: str) -> str:
    return " ".join(label.casefold().replace("_", " ").replace("-", " ").split())


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
