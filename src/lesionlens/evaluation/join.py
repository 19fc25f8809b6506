"""Join the predictions of one-vs-rest models for the same images."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lesionlens.core.errors import PredictionsError
from lesionlens.core.types import BoolArray, StrArray
from lesionlens.datasets.image_ids import match_image_ids
from lesionlens.evaluation.calibrated_columns import lost_fields_caveats, optional_fields
from lesionlens.evaluation.predictions import (
    OTHER_CLASS_NAMES,
    Predictions,
    format_examples,
    multilabel_predictions,
)


def join_predictions(binary_predictions: Sequence[Predictions]) -> Predictions:
    """Join the predictions of one-vs-rest models for the same images, one model per diagnosis.

    Parameters
    ----------
    binary_predictions
        Predictions of two classes each, one of them named other (or rest).

    Returns
    -------
    Predictions
        Predictions with several independent scores and the other class "other". An image has a label if all models
        have one for it.

    Raises
    ------
    PredictionsError
        Predictions are not one-vs-rest, two are of the same diagnosis, the images differ, or an image has two
        diagnoses.
    """
    diagnoses = [_positive_class(model) for model in binary_predictions]
    if len(set(diagnoses)) < len(diagnoses):
        raise PredictionsError(
            f"only models of different diagnoses can be joined; these are of {', '.join(diagnoses)}"
        )
    first = binary_predictions[0]
    aligned = [first, *(_align(model, first) for model in binary_predictions[1:])]
    scores = [
        model.scores[:, model.classes.index(name)] for model, name in zip(aligned, diagnoses, strict=True)
    ]
    joined = multilabel_predictions(
        first.image_id,
        _join_lesions(aligned),
        _join_labels(aligned, diagnoses),
        np.column_stack(scores),
        diagnoses,
    )
    lost = lost_fields_caveats(list(map(optional_fields, binary_predictions)), optional_fields(joined))
    return replace(joined, caveats=(*joined.caveats, *lost))


def _positive_class(predictions: Predictions) -> str:
    diagnoses = [name for name in predictions.classes if name not in OTHER_CLASS_NAMES]
    if len(predictions.classes) != 2 or len(diagnoses) != 1:
        raise PredictionsError(
            "only predictions of one diagnosis against the rest, with the classes other and the diagnosis, can be "
            f"joined; these have {', '.join(predictions.classes)}"
        )
    return diagnoses[0]


def _align(predictions: Predictions, reference: Predictions) -> Predictions:
    """Reorder the images as in the reference, also if their names have another form (see `match_image_ids`)."""
    own, names = predictions.image_id.tolist(), reference.image_id.tolist()
    meanings = match_image_ids(own, names)
    row = {name: index for index, name in enumerate(meanings)}
    unmatched = [name for name, meaning in zip(own, meanings, strict=True) if not meaning]
    if unmatched := unmatched + [name for name in names if name not in row]:
        raise PredictionsError(
            f"predictions to join must be of the same images; only one file has: {format_examples(unmatched)}"
        )
    if len(row) < len(own):
        twice = next(name for name, count in Counter(meanings).items() if count > 1)
        raise PredictionsError(f"two rows of predictions to join are of the image {twice}; keep one")
    return predictions.select(np.array([row[name] for name in names]))


def _join_lesions(binary_predictions: Sequence[Predictions]) -> StrArray:
    """Return the lesion of each image that any model knows."""
    joined = binary_predictions[0].known_lesion_id
    for model in binary_predictions[1:]:
        joined, differ = merge_known(joined, model.known_lesion_id)
        if differ.any():
            examples = format_examples(binary_predictions[0].image_id[differ])
            raise PredictionsError(f"predictions to join have different lesions for: {examples}")
    return joined


def merge_known(first: StrArray, second: StrArray) -> tuple[StrArray, BoolArray]:
    """Return for each image the value that is known in any of two columns, and whether both are known and differ."""
    return np.where(first == "", second, first), (first != second) & (first != "") & (second != "")


def _join_labels(binary_predictions: Sequence[Predictions], positive_classes: Sequence[str]) -> StrArray:
    positive = np.column_stack(
        [model.label == name for model, name in zip(binary_predictions, positive_classes, strict=True)]
    )
    ambiguous = positive.sum(axis=1) > 1
    if ambiguous.any():
        raise PredictionsError(
            "predictions to join have two diagnoses for: "
            f"{format_examples(binary_predictions[0].image_id[ambiguous])}"
        )
    labeled = np.column_stack([model.label != "" for model in binary_predictions]).all(axis=1)
    names = np.where(positive.any(axis=1), np.array(positive_classes)[positive.argmax(axis=1)], "other")
    return np.where(labeled, names, "")
