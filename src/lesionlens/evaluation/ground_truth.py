"""Read the true class of each image from a separate file and join it to predictions by image name."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from lesionlens.core.errors import DataError, PredictionsError, unknown_name_message
from lesionlens.core.missing import is_missing
from lesionlens.core.tabular import CSVColumns, read_csv_columns, to_floats
from lesionlens.core.taxonomy import canonical_name
from lesionlens.core.types import StrArray
from lesionlens.evaluation.isic_formats import (
    ISIC2017_COLUMNS,
    ISIC2018_COLUMNS,
    detect_isic_format,
    isic_image_ids,
    isic_scores,
)
from lesionlens.evaluation.predictions import OTHER_CLASS_NAMES, Predictions, format_examples
from lesionlens.imaging.formats import IMAGE_SUFFIXES


def normalize_image_ids(ids_a: StrArray, ids_b: StrArray) -> tuple[StrArray, StrArray]:
    """Normalize two lists of image names, (n,) and (m,), so that the same image has the same name in both.

    Tries the names unchanged, then without image extensions, then also without directories. A normalization that makes
    two names of one list equal is skipped. If none makes the lists match, the last one that was not skipped is used.

    Examples
    --------
    >>> normalize_image_ids(np.array(["a"]), np.array(["photos/a.jpg"]))
    (array(['a'], dtype='<U1'), array(['a'], dtype='<U1'))
    """
    best = ids_a, ids_b
    for normalize in (str, _strip_extension, _strip_directories):
        names_a, names_b = (np.array([normalize(str(name)) for name in ids]) for ids in (ids_a, ids_b))
        if normalize is not str and any(len(np.unique(names)) < len(names) for names in (names_a, names_b)):
            continue
        best = names_a, names_b
        if set(names_a.tolist()) == set(names_b.tolist()):
            break
    return best


def _strip_extension(name: str) -> str:
    """Remove an image extension; other dots of a name remain."""
    path = PurePosixPath(name.replace("\\", "/"))
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else str(path)


def _strip_directories(name: str) -> str:
    return PurePosixPath(_strip_extension(name)).name


_IMAGE_COLUMNS = ("image_id", "image", "path")
_LABEL_COLUMNS = ("diagnosis", "label", "dx")


class GroundTruth(NamedTuple):
    """Image names, labels and lesions, each (n,); a label or lesion that is unknown is ""."""

    image_id: StrArray
    label: StrArray
    lesion_id: StrArray


def read_ground_truth(path: Path) -> GroundTruth:
    """Read an official ground truth (ISIC 2017 or 2018) or a table with image, label[, lesion_id].

    Column names are case-insensitive and may be those of a table of images: ``image_id`` or ``path`` for the image,
    ``diagnosis`` or (as in HAM10000) ``dx`` for the label. An image with a ``score_weight`` of zero in an official
    ground truth is not scored: its label is "".

    Raises
    ------
    PredictionsError
        The format is unknown, an image occurs twice, or a row of an official ground truth is not of exactly one class.
    """
    columns = read_csv_columns(path)
    format_name = detect_isic_format(columns, path)
    if format_name:
        return _check_unique(_parse_isic_ground_truth(columns, format_name, path), path)
    cells = {name.lower(): values for name, values in columns.items()}
    image = next((name for name in _IMAGE_COLUMNS if name in cells), "")
    label = next((name for name in _LABEL_COLUMNS if name in cells), "")
    if not image or not label:
        raise PredictionsError(
            f"{path} has the columns {', '.join(columns)}, which are not a ground truth. Allowed are "
            f"image,label[,lesion_id], image,{','.join(ISIC2018_COLUMNS)} (ISIC 2018) and "
            f"image_id,{','.join(ISIC2017_COLUMNS)} (ISIC 2017)."
        )
    lesions = ["" if is_missing(cell) else cell for cell in cells.get("lesion_id", [""] * len(cells[image]))]
    return _check_unique(GroundTruth(np.array(cells[image]), np.array(cells[label]), np.array(lesions)), path)


def attach_ground_truth(predictions: Predictions, ground_truth: GroundTruth) -> Predictions:
    """Set the label of every predicted image and, if the ground truth has it, its lesion.

    Images are matched by name, without directories and image extensions if necessary.

    Raises
    ------
    PredictionsError
        The two list different images, or a label is not one of the predicted classes.
    """
    predicted, true = normalize_image_ids(predictions.image_id, ground_truth.image_id)
    _check_same_images(predicted, true)
    row = {str(name): index for index, name in enumerate(true)}
    order = np.array([row[str(name)] for name in predicted])
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
    """Return the class of a label: by its name in any spelling, by its official code, or otherwise "other".

    A missing label ("", "unknown") is "" unless it is a class.

    Raises
    ------
    PredictionsError
        No class matches.

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
    matches = [
        name
        for name in classes
        if (_canonical_diagnosis(name) or _normalize_label(name)) == (diagnosis or _normalize_label(label))
    ]
    if len(matches) == 1:
        return matches[0]
    other_class = next((name for name in OTHER_CLASS_NAMES if name in classes), None)
    if other_class is None or not diagnosis or matches:
        raise PredictionsError(unknown_name_message("label", label, classes))
    return other_class


def _canonical_diagnosis(label: str) -> str:
    """Return the taxonomy's name of a diagnosis, or "" for a custom label."""
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
            f"{path}: not exactly one class for {wrong.sum()} images: {format_examples(ids[wrong])}. A ground truth "
            "has 1.0 for the true class and 0.0 for the others."
        )
    label = np.array(classes)[scores.argmax(axis=1)]
    if "score_weight" in columns:
        label = np.where(to_floats(columns, ("score_weight",), path)[:, 0] == 0, "", label)
    return GroundTruth(ids, label, np.full(len(ids), ""))


def _check_unique(ground_truth: GroundTruth, path: Path) -> GroundTruth:
    names, counts = np.unique(ground_truth.image_id, return_counts=True)
    if (counts > 1).any():
        raise PredictionsError(
            f"{path}: duplicate images: {format_examples(names[counts > 1])}; keep one row per image"
        )
    return ground_truth


def _check_same_images(predicted_ids: StrArray, true_ids: StrArray) -> None:
    without_label = np.setdiff1d(predicted_ids, true_ids)
    without_scores = np.setdiff1d(true_ids, predicted_ids)
    if not len(without_label) and not len(without_scores):
        return
    differences = [
        f"{len(ids)} {description} ({format_examples(ids)})"
        for ids, description in (
            (without_label, "predicted without a label"),
            (without_scores, "labeled without a prediction"),
        )
        if len(ids)
    ]
    raise PredictionsError(
        f"predictions and ground truth list different images: {'; '.join(differences)}. Both must list the same "
        "images: excluding some would change the result."
    )
