"""Read and write files of predictions: our own CSV and, to read, the official ISIC challenge formats."""

from pathlib import Path

import numpy as np

from lesionlens.errors import PredictionsError
from lesionlens.evaluation.columns import Columns, numbers, read_columns, texts, write_columns
from lesionlens.evaluation.formats import ISIC2017, ISIC2018, official, parse_official
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.truth import read_truth, with_truth

__all__ = ["Predictions", "read_predictions", "write_predictions"]
_PREFIX = "p_"


def read_predictions(path: Path | str, *, truth: Path | str | None = None) -> Predictions:
    """Read predictions: our own CSV, or the official format of ISIC 2017 (part 3) or ISIC 2018 (task 3).

    Parameters
    ----------
    path
        ``image_id,lesion_id,label,p_<class>…`` (lesion_id and label may be missing),
        ``image,MEL,NV,BCC,AKIEC,BKL,DF,VASC`` or ``image_id,melanoma,seborrheic_keratosis``.
    truth
        An official ground truth in one of the two challenge formats, or a table with ``image``, ``label``
        and, if known, ``lesion_id`` (see `read_truth`). It replaces the labels of the predictions.

    Raises
    ------
    PredictionsError
        See `Predictions`; also an unknown format, or truth and predictions of different images.
    """
    predictions = _parse(Path(path))
    return predictions if truth is None else with_truth(predictions, read_truth(Path(truth)))


def write_predictions(path: Path | str, predictions: Predictions) -> None:
    """Write ``image_id,lesion_id,label,p_<class>…``; the scores come back exactly as they were."""
    names = {name: list(map(str, getattr(predictions, name))) for name in ("image_id", "lesion_id", "label")}
    scores = {_PREFIX + name: texts(predictions.scores[:, k]) for k, name in enumerate(predictions.classes)}
    write_columns(Path(path), names | scores)


def _parse(path: Path) -> Predictions:
    columns = read_columns(path)
    scores = tuple(name for name in columns if name.startswith(_PREFIX))
    if "image_id" in columns and scores:
        return _parse_own(columns, scores, path)
    kind = official(columns, path)
    if kind:
        return parse_official(columns, kind, path)
    raise PredictionsError(
        f"{path} has the columns {', '.join(columns)}, which are no predictions. Allowed are "
        f"image_id,lesion_id,label,p_<class>… (our own), image,{','.join(ISIC2018)} (ISIC 2018) and "
        f"image_id,{','.join(ISIC2017)} (ISIC 2017)."
    )


def _parse_own(columns: Columns, names: tuple[str, ...], path: Path) -> Predictions:
    ids = columns["image_id"]
    label = columns.get("label", [""] * len(ids))
    classes = tuple(name.removeprefix(_PREFIX) for name in names)
    return Predictions(
        np.array(ids),
        np.array(columns.get("lesion_id", ids)),
        np.array(label),
        numbers(columns, names, path),
        classes,
    )
