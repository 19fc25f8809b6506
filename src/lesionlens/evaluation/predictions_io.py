"""Read and write files of predictions: our own CSV and, to read, the official ISIC challenge formats."""

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
    """Read predictions: our own CSV, or the official format of ISIC 2017 (part 3) or ISIC 2018 (task 3).

    Parameters
    ----------
    path
        ``image_id,lesion_id,label,p_<class>…`` (lesion_id and label may be missing),
        ``image,MEL,NV,BCC,AKIEC,BKL,DF,VASC`` or ``image_id,melanoma,seborrheic_keratosis``.
    more
        Further files, each of a model of one diagnosis against the rest as the first, to be joined
        (see `join_predictions`).
    ground_truth
        An official ground truth in one of the two challenge formats, or a table with ``image``, ``label``
        and, if known, ``lesion_id`` (see `read_ground_truth`). It replaces the labels of the predictions.
    other_class
        The class of images that are none of those asked about. It may lack a column of scores: then these
        are independent and its own is derived (see `multilabel_predictions`). A column ``other_class`` in our own CSV
        says the same.

    Raises
    ------
    PredictionsError
        See `Predictions`; also an unknown format, or truth and predictions of different images.
    """
    parts = [_parse(Path(path), other_class) for path in (path, *more)]
    predictions = parts[0] if len(parts) == 1 else join_predictions(parts)
    return (
        predictions
        if ground_truth is None
        else attach_ground_truth(predictions, read_ground_truth(Path(ground_truth)))
    )


def write_predictions(path: Path | str, predictions: Predictions) -> None:
    """Write ``image_id,lesion_id,label,p_<class>…``; the scores come back exactly as they were.

    Where a class is the rest, a column ``other_class`` names it in every row.
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
    kind = detect_isic_format(columns, path)
    if kind:
        found = parse_isic_predictions(columns, kind, path)
        return found if other_class is None else replace(found, other_class=other_class)
    raise PredictionsError(
        f"{path} has the columns {', '.join(columns)}, which are no predictions. Allowed are "
        f"image_id,lesion_id,label,p_<class>… (our own), image,{','.join(ISIC2018_COLUMNS)} (ISIC 2018) and "
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
    """Read which class the column ``other_class`` names; "" without one."""
    names = set(columns.get("other_class", [""]))
    if len(names) > 1:
        raise PredictionsError(
            f"{path}: the column other_class names {', '.join(sorted(names))}; one name is allowed"
        )
    return names.pop()
