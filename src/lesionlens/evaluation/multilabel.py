"""Independent scores: several diagnoses, each asked against everything else, as ISIC 2017 asks two."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from lesionlens.errors import PredictionsError
from lesionlens.evaluation.prediction_table import FloatArray, Predictions, StrArray, format_examples

OTHER_CLASS_NAMES = ("other", "rest")  # what the negative class of a task of one diagnosis may be called


def multilabel_predictions(
    image_id: ArrayLike,
    lesion_id: ArrayLike,
    label: ArrayLike,
    scores: ArrayLike,
    classes: Sequence[str],
    *,
    other_class: str = "other",
) -> Predictions:
    """Hold independent scores with the class of the images that are none of those asked about.

    That class comes first, and its score is `rest_score`.

    Parameters
    ----------
    image_id, lesion_id, label
        As for `Predictions`, (n,); an image that is none of ``classes`` has the label ``other_class``, one whose label is
        not known has "".
    scores
        Of each diagnosis, (n, k), each in [0, 1]: sigmoids, which need not sum to one.
    classes
        Names of the k columns, without ``other_class``.
    other_class
        Name of the images that are none of these.

    Raises
    ------
    PredictionsError
        See `Predictions`.

    Examples
    --------
    >>> found = multi_label(["a"], [""], ["other"], [[0.2, 0.3]], ["melanoma", "seborrheic_keratosis"])
    >>> found.classes, found.scores.tolist(), found.rest
    (('other', 'melanoma', 'seborrheic_keratosis'), [[0.7, 0.2, 0.3]], 'other')
    """
    asked = np.asarray(scores, dtype=np.float64)
    if asked.ndim != 2 or asked.shape[1] != len(classes):
        raise PredictionsError(f"scores of shape {asked.shape} do not fit {len(classes)} classes: (n, k)")
    # a score out of range must be refused as it came, not as the rest that follows from it
    all_scores = np.column_stack([np.clip(other_class_score(asked), 0, 1), asked])
    return Predictions(
        np.asarray(image_id),
        np.asarray(lesion_id),
        np.asarray(label),
        all_scores,
        (other_class, *classes),
        other_class=other_class,
    )


def other_class_score(scores: FloatArray) -> FloatArray:
    """Give one minus the largest of independent scores, (n, k) -> (n,).

    So the rest has the largest score of all exactly where no other score reaches 0.5, which is how ISIC 2017
    decides.
    """
    return np.asarray(1 - scores.max(axis=1))


def join_predictions(binary_predictions: Sequence[Predictions]) -> Predictions:
    """Join models of one diagnosis against the rest, each with its own scores of the same images.

    Parameters
    ----------
    binary_predictions
        Predictions of two classes each, one of them called other (or rest).

    Returns
    -------
    Predictions
        As of one model of several independent scores, with the rest called other. An image is labelled where every
        part knows its label.

    Raises
    ------
    PredictionsError
        A part is of another kind, two are of the same diagnosis, the images differ, or an image has two diagnoses.
    """
    sought = [_positive_class(part) for part in binary_predictions]
    if len(set(sought)) < len(sought):
        raise PredictionsError(f"joined are models of different diagnoses; these are of {', '.join(sought)}")
    first = binary_predictions[0]
    aligned = [first, *(_align(part, first) for part in binary_predictions[1:])]
    scores = [part.scores[:, part.classes.index(name)] for part, name in zip(aligned, sought, strict=True)]
    return multilabel_predictions(
        first.image_id, first.lesion_id, _join_labels(aligned, sought), np.column_stack(scores), sought
    )


def _positive_class(predictions: Predictions) -> str:
    asked = [name for name in predictions.classes if name not in OTHER_CLASS_NAMES]
    if len(predictions.classes) != 2 or len(asked) != 1:
        raise PredictionsError(
            "joined can be predictions of one diagnosis against the rest, with the classes other and the diagnosis; "
            f"these have {', '.join(predictions.classes)}"
        )
    return asked[0]


def _align(predictions: Predictions, reference: Predictions) -> Predictions:
    """Put a part's images in the order of the first."""
    strangers = np.setxor1d(predictions.image_id, reference.image_id)
    if len(strangers):
        raise PredictionsError(
            f"joined predictions are of the same images; only one has: {format_examples(strangers)}"
        )
    place = {str(name): row for row, name in enumerate(predictions.image_id)}
    ordered = predictions.select(np.array([place[str(name)] for name in reference.image_id]))
    if (ordered.lesion_id != reference.lesion_id).any():
        wrong = reference.image_id[ordered.lesion_id != reference.lesion_id]
        raise PredictionsError(f"joined predictions name different lesions for: {format_examples(wrong)}")
    return ordered


def _join_labels(binary_predictions: Sequence[Predictions], positive_classes: Sequence[str]) -> StrArray:
    found = np.column_stack([part.label == name for part, name in zip(binary_predictions, positive_classes, strict=True)])
    several = found.sum(axis=1) > 1
    if several.any():
        raise PredictionsError(
            f"joined predictions label an image with two diagnoses: {format_examples(binary_predictions[0].image_id[several])}"
        )
    known = np.column_stack([part.label != "" for part in binary_predictions]).all(axis=1)
    names = np.where(found.any(axis=1), np.array(positive_classes)[found.argmax(axis=1)], "other")
    return np.where(known, names, "")
