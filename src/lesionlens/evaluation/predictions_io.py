"""Read and write prediction files: the LesionLens CSV and (read only) the official ISIC challenge formats."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from lesionlens.core.errors import PredictionsError
from lesionlens.core.tabular import CSVColumns, format_floats, read_csv_columns, to_floats, write_csv_columns
from lesionlens.evaluation.ground_truth import attach_ground_truth, read_ground_truth
from lesionlens.evaluation.isic_formats import (
    ISIC2017_COLUMNS,
    ISIC2018_COLUMNS,
    detect_isic_format,
    parse_isic_predictions,
)
from lesionlens.evaluation.predictions import Predictions, join_predictions, multilabel_predictions

__all__ = ["Predictions", "read_predictions", "write_predictions"]
_SCORE_PREFIX = "p_"


def read_predictions(
    path: Path | str,
    *more: Path | str,
    ground_truth: Path | str | None = None,
    other_class: str | None = None,
) -> Predictions:
    """Read predictions: LesionLens CSV, or the official format of ISIC 2017 (Part 3) or ISIC 2018 (Task 3).

    Parameters
    ----------
    path
        CSV file with the columns ``image_id,lesion_id,label,p_<class>…`` (lesion_id and label are optional),
        ``image,MEL,NV,BCC,AKIEC,BKL,DF,VASC`` or ``image_id,melanoma,seborrheic_keratosis``.
    more
        Files of further models, each of one diagnosis against the rest like the first, to be joined (see
        `join_predictions`).
    ground_truth
        Official ground truth in one of the two challenge formats, or a table with ``image``, ``label`` and
        (optional) ``lesion_id`` (see `read_ground_truth`). It replaces the labels of the predictions.
    other_class
        Class of images that belong to none of the target classes. If it has no column of scores, the scores are
        independent and its score is derived (see `multilabel_predictions`). Default: the column ``other_class`` of a
        LesionLens CSV, if any.

    Raises
    ------
    PredictionsError
        See `Predictions`; also if the format is unknown, or ground truth and predictions list different images.
    """
    models = [_parse(Path(path), other_class) for path in (path, *more)]
    predictions = models[0] if len(models) == 1 else join_predictions(models)
    if ground_truth is None:
        return predictions
    return attach_ground_truth(predictions, read_ground_truth(Path(ground_truth)))


def write_predictions(path: Path | str, predictions: Predictions) -> None:
    """Write a CSV file with the columns ``image_id,lesion_id,label,p_<class>…``; scores are stored exactly.

    If the predictions have an ``other_class``, a column of that name repeats it in every row.
    """
    names = {name: list(map(str, getattr(predictions, name))) for name in ("image_id", "lesion_id", "label")}
    if predictions.other_class:
        names["other_class"] = [predictions.other_class] * len(predictions)
    scores = {
        _SCORE_PREFIX + name: format_floats(predictions.scores[:, k])
        for k, name in enumerate(predictions.classes)
    }
    write_csv_columns(Path(path), names | scores)


def _parse(path: Path, other_class: str | None) -> Predictions:
    columns = read_csv_columns(path)
    scores = tuple(name for name in columns if name.startswith(_SCORE_PREFIX))
    if "image_id" in columns and scores:
        return _parse_lesionlens_csv(
            columns, scores, path, _read_other_class(columns, path) if other_class is None else other_class
        )
    format_name = detect_isic_format(columns, path)
    if format_name:
        predictions = parse_isic_predictions(columns, format_name, path)
        return predictions if other_class is None else replace(predictions, other_class=other_class)
    raise PredictionsError(
        f"{path} has the columns {', '.join(columns)}, which are not predictions. Allowed are "
        f"image_id,lesion_id,label,p_<class>… (LesionLens), image,{','.join(ISIC2018_COLUMNS)} (ISIC 2018) and "
        f"image_id,{','.join(ISIC2017_COLUMNS)} (ISIC 2017)."
    )


def _parse_lesionlens_csv(
    columns: CSVColumns, score_columns: tuple[str, ...], path: Path, other_class: str
) -> Predictions:
    ids = np.array(columns["image_id"])
    label = np.array(columns.get("label", [""] * len(ids)))
    lesion = np.array(columns.get("lesion_id", ids))
    classes = tuple(name.removeprefix(_SCORE_PREFIX) for name in score_columns)
    scores = to_floats(columns, score_columns, path)
    if other_class and other_class not in classes:
        return multilabel_predictions(ids, lesion, label, scores, classes, other_class=other_class)
    return Predictions(ids, lesion, label, scores, classes, other_class=other_class)


def _read_other_class(columns: CSVColumns, path: Path) -> str:
    """Return the class in the column ``other_class``; "" if there is no such column."""
    names = set(columns.get("other_class", [""]))
    if len(names) > 1:
        raise PredictionsError(
            f"{path}: the column other_class has the values {', '.join(sorted(names))}; only one value is allowed"
        )
    return names.pop()
