"""The true class of each image, from a file of its own, joined to predictions by the image's name."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from lesionlens.core.errors import DataError, PredictionsError, unknown_name_message
from lesionlens.core.tabular import CSVColumns, is_missing, read_csv_columns, to_floats
from lesionlens.core.taxonomy import canonical_name
from lesionlens.core.types import StrArray
from lesionlens.datasets.file_layout import IMAGE_SUFFIXES
from lesionlens.evaluation.isic_formats import (
    ISIC2017_COLUMNS,
    ISIC2018_COLUMNS,
    detect_isic_format,
    isic_image_ids,
    isic_scores,
)
from lesionlens.evaluation.predictions import OTHER_CLASS_NAMES, Predictions, format_examples


def normalize_image_ids(ids_a: StrArray, ids_b: StrArray) -> tuple[StrArray, StrArray]:
    """Write both lists of names, (n,) and (m,), in the way in which they name the same images.

    Tried in turn: as they are, without image endings, without folders too. A way that makes two names of one
    list equal is not taken. Where none makes them match, the barest way allowed is given.

    Examples
    --------
    >>> normalize_image_ids(np.array(["a"]), np.array(["photos/a.jpg"]))
    (array(['a'], dtype='<U1'), array(['a'], dtype='<U1'))
    """
    best = ids_a, ids_b
    for way in (str, _strip_extension, _strip_directories):
        names = np.array([way(str(name)) for name in ids_a]), np.array([way(str(name)) for name in ids_b])
        if way is not str and any(len(np.unique(each)) < len(each) for each in names):
            continue
        best = names
        if set(names[0].tolist()) == set(names[1].tolist()):
            break
    return best


def _strip_extension(name: str) -> str:
    """Drop an image's ending; a dot elsewhere in a name stays."""
    path = PurePosixPath(name.replace("\\", "/"))
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else str(path)


def _strip_directories(name: str) -> str:
    return PurePosixPath(_strip_extension(name)).name


_IMAGE_COLUMNS = ("image_id", "image", "path")
_LABEL_COLUMNS = ("diagnosis", "label", "dx")


class GroundTruth(NamedTuple):
    """Labels, and lesions where the file knows them: image_id, label and lesion_id, each (n,)."""

    image_id: StrArray
    label: StrArray
    lesion_id: StrArray


def read_ground_truth(path: Path) -> GroundTruth:
    """Read an official ground truth (ISIC 2017 or 2018) or a table with image, label[, lesion_id].

    The columns may be called as in a table of images, in any case: image_id or path for the image, diagnosis
    or, as in HAM10000, dx for the label. An image whose ``score_weight`` is zero in an official ground truth
    does not count: its label is "".

    Raises
    ------
    PredictionsError
        None of these formats, an image that comes twice, or an official row that is not of exactly one class.
    """
    columns = read_csv_columns(path)
    kind = detect_isic_format(columns, path)
    if kind:
        return _check_unique(_parse_isic_ground_truth(columns, kind, path), path)
    cells = {name.lower(): found for name, found in columns.items()}
    image = next((name for name in _IMAGE_COLUMNS if name in cells), "")
    label = next((name for name in _LABEL_COLUMNS if name in cells), "")
    if not image or not label:
        raise PredictionsError(
            f"{path} has the columns {', '.join(columns)}, which are no truth. Allowed are "
            f"image,label[,lesion_id], image,{','.join(ISIC2018_COLUMNS)} (ISIC 2018) and "
            f"image_id,{','.join(ISIC2017_COLUMNS)} (ISIC 2017)."
        )
    lesions = ["" if is_missing(cell) else cell for cell in cells.get("lesion_id", [""] * len(cells[image]))]
    return _check_unique(GroundTruth(np.array(cells[image]), np.array(cells[label]), np.array(lesions)), path)


def attach_ground_truth(predictions: Predictions, ground_truth: GroundTruth) -> Predictions:
    """Give every predicted image its label and, where the truth knows it, its lesion.

    Images are compared by name, without folders and image endings where only so they match.

    Raises
    ------
    PredictionsError
        The two name different images, or a label is of no class of the predictions.
    """
    predicted, true = normalize_image_ids(predictions.image_id, ground_truth.image_id)
    _check_same_images(predicted, true)
    place = {str(name): index for index, name in enumerate(true)}
    order = np.array([place[str(name)] for name in predicted])
    classes = {
        str(name): resolve_class(str(name), predictions.classes) for name in np.unique(ground_truth.label)
    }
    lesion = ground_truth.lesion_id[order]
    return Predictions(
        predictions.image_id,
        np.where(lesion == "", predictions.lesion_id, lesion),
        np.array([classes[str(name)] for name in ground_truth.label[order]]),
        predictions.scores,
        predictions.classes,
        other_class=predictions.other_class,
    )


def resolve_class(label: str, classes: Sequence[str]) -> str:
    """Find the class of a label: by its name in any spelling, by its official code, or else as "other".

    A label that says nothing ("", "unknown") is "" unless it is a class.

    Raises
    ------
    PredictionsError
        No class fits.

    Examples
    --------
    >>> resolve_class("MEL", ["melanoma", "nevus"]), resolve_class("NV", ["other", "melanoma"])
    ('melanoma', 'other')
    >>> resolve_class("Spitz nevus", ["spitz_nevus", "wart"])
    'spitz_nevus'
    """
    if label in classes:
        return label
    if is_missing(label):
        return ""
    diagnosis = _canonical_diagnosis(label)
    same = [
        each
        for each in classes
        if (_canonical_diagnosis(each) or _normalize_label(each)) == (diagnosis or _normalize_label(label))
    ]
    if len(same) == 1:
        return same[0]
    rest = next((each for each in OTHER_CLASS_NAMES if each in classes), None)
    if rest is None or not diagnosis or same:
        raise PredictionsError(unknown_name_message("label", label, classes))
    return rest


def _canonical_diagnosis(label: str) -> str:
    """Give the taxonomy's name, or "" for a label of one's own."""
    try:
        return canonical_name(label)
    except DataError:
        return ""


def _normalize_label(label: str) -> str:
    return " ".join(label.casefold().replace("_", " ").replace("-", " ").split())


def _parse_isic_ground_truth(columns: CSVColumns, format_name: str, path: Path) -> GroundTruth:
    ids = isic_image_ids(columns, format_name)
    scores, classes = isic_scores(columns, format_name, path)
    wrong = (~np.isin(scores, (0.0, 1.0)).all(axis=1)) | (scores.sum(axis=1) != 1)
    if wrong.any():
        raise PredictionsError(
            f"{path}: {wrong.sum()} images are not of exactly one class: {format_examples(ids[wrong])}. "
            "A ground truth holds 1.0 for the true class and 0.0 for the others."
        )
    label = np.array(classes)[scores.argmax(axis=1)]
    if "score_weight" in columns:
        label = np.where(to_floats(columns, ("score_weight",), path)[:, 0] == 0, "", label)
    return GroundTruth(ids, label, np.full(len(ids), ""))


def _check_unique(ground_truth: GroundTruth, path: Path) -> GroundTruth:
    names, counts = np.unique(ground_truth.image_id, return_counts=True)
    if (counts > 1).any():
        raise PredictionsError(
            f"{path}: images come more than once: {format_examples(names[counts > 1])}; keep one row each"
        )
    return ground_truth


def _check_same_images(predicted_ids: StrArray, true_ids: StrArray) -> None:
    without_truth = np.setdiff1d(predicted_ids, true_ids)
    without_scores = np.setdiff1d(true_ids, predicted_ids)
    found = []
    if len(without_truth):
        found.append(
            f"{len(without_truth)} predicted images have no truth ({format_examples(without_truth)})"
        )
    if len(without_scores):
        found.append(
            f"{len(without_scores)} images of the truth have no prediction ({format_examples(without_scores)})"
        )
    if found:
        raise PredictionsError(
            f"predictions and truth name different images: {'; '.join(found)}. Give both for the same "
            "images: leaving some out would change the result."
        )
