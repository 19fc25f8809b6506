"""Read and write files of predictions: our own CSV and, to read, the official ISIC challenge formats."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from lesionlens.errors import PredictionsError
from lesionlens.evaluation.columns import Columns, numbers, read_columns, texts, write_columns
from lesionlens.evaluation.formats import ISIC2017, ISIC2018, official, parse_official
from lesionlens.evaluation.multilabel import joined, multi_label
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.truth import read_truth, with_truth

__all__ = ["Predictions", "read_predictions", "write_predictions"]
_PREFIX = "p_"


def read_predictions(
    path: Path | str, *more: Path | str, truth: Path | str | None = None, rest: str | None = None
) -> Predictions:
    """Read predictions: our own CSV, or the official format of ISIC 2017 (part 3) or ISIC 2018 (task 3).

    Parameters
    ----------
    path
        ``image_id,lesion_id,label,p_<class>…`` (lesion_id and label may be missing),
        ``image,MEL,NV,BCC,AKIEC,BKL,DF,VASC`` or ``image_id,melanoma,seborrheic_keratosis``.
    more
        Further files, each of a model of one diagnosis against the rest as the first, to be joined (see `joined`).
    truth
        An official ground truth in one of the two challenge formats, or a table with ``image``, ``label``
        and, if known, ``lesion_id`` (see `read_truth`). It replaces the labels of the predictions.
    rest
        The class of images that are none of those asked about. It may lack a column of scores: then these
        are independent and its own is derived (see `multi_label`). A column ``rest`` in our own CSV says the
        same.

    Raises
    ------
    PredictionsError
        See `Predictions`; also an unknown format, or truth and predictions of different images.
    """
    parts = [_parse(Path(path), rest) for path in (path, *more)]
    predictions = parts[0] if len(parts) == 1 else joined(parts)
    return predictions if truth is None else with_truth(predictions, read_truth(Path(truth)))


def write_predictions(path: Path | str, predictions: Predictions) -> None:
    """Write ``image_id,lesion_id,label,p_<class>…``; the scores come back exactly as they were.

    Where a class is the rest, a column ``rest`` names it in every row.
    """
    names = {name: list(map(str, getattr(predictions, name))) for name in ("image_id", "lesion_id", "label")}
    if predictions.rest:
        names["rest"] = [predictions.rest] * len(predictions)
    scores = {_PREFIX + name: texts(predictions.scores[:, k]) for k, name in enumerate(predictions.classes)}
    write_columns(Path(path), names | scores)


def _parse(path: Path, rest: str | None) -> Predictions:
    columns = read_columns(path)
    scores = tuple(name for name in columns if name.startswith(_PREFIX))
    if "image_id" in columns and scores:
        return _parse_own(columns, scores, path, _rest(columns, path) if rest is None else rest)
    kind = official(columns, path)
    if kind:
        found = parse_official(columns, kind, path)
        return found if rest is None else replace(found, rest=rest)
    raise PredictionsError(
        f"{path} has the columns {', '.join(columns)}, which are no predictions. Allowed are "
        f"image_id,lesion_id,label,p_<class>… (our own), image,{','.join(ISIC2018)} (ISIC 2018) and "
        f"image_id,{','.join(ISIC2017)} (ISIC 2017)."
    )


def _parse_own(columns: Columns, names: tuple[str, ...], path: Path, rest: str) -> Predictions:
    ids = np.array(columns["image_id"])
    label = np.array(columns.get("label", [""] * len(ids)))
    lesion = np.array(columns.get("lesion_id", ids))
    classes = tuple(name.removeprefix(_PREFIX) for name in names)
    scores = numbers(columns, names, path)
    if rest and rest not in classes:
        return multi_label(ids, lesion, label, scores, classes, rest=rest)
    return Predictions(ids, lesion, label, scores, classes, rest=rest)


def _rest(columns: Columns, path: Path) -> str:
    """Read which class the column ``rest`` names; "" without one."""
    names = set(columns.get("rest", [""]))
    if len(names) > 1:
        raise PredictionsError(
            f"{path}: the column rest names {', '.join(sorted(names))}; one name is allowed"
        )
    return names.pop()
