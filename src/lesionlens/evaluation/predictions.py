"""The record of what a model said about each image, and the truth where it is known."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesionlens.core.errors import PredictionsError, unknown_name_message
from lesionlens.core.types import FloatArray, StrArray


@dataclass(frozen=True, eq=False)
class Predictions:
    """Scores of n images for k classes; checked once, read-only.

    Scores need not sum to one over the classes: the official formats allow independent scores.

    Attributes
    ----------
    image_id
        Name of each image, (n,), each once.
    lesion_id
        Name of its lesion, (n,): images of one lesion are drawn together by the bootstrap. Where "" is
        given, the image is its own lesion.
    label
        True class, (n,); "" where it is not known.
    scores
        Model score in [0, 1] for each class, (n, k).
    classes
        Names of the k columns.
    other_class
        The class of ``classes`` for images that are none of those asked about, or "": averages over classes
        leave it out. Where scores are independent (ISIC 2017) its own is derived from the others.

    Raises
    ------
    PredictionsError
        No image, an image named twice, arrays that do not fit each other, a score that is not a number
        in [0, 1], or a label or other_class that is not one of the classes.
    """

    image_id: StrArray
    lesion_id: StrArray
    label: StrArray
    scores: FloatArray
    classes: tuple[str, ...]
    other_class: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        for name in ("image_id", "lesion_id", "label"):
            self._freeze(name, np.array(getattr(self, name), dtype=np.str_))
        self._freeze("scores", np.array(self.scores, dtype=np.float64))
        object.__setattr__(self, "classes", tuple(self.classes))
        _check_shape(self)
        self._freeze("lesion_id", np.where(self.lesion_id == "", self.image_id, self.lesion_id))
        _check_ids(self.image_id)
        _check_scores(self)
        _check_labels(self)

    def __len__(self) -> int:
        return len(self.image_id)

    def select(self, selection: NDArray[Any]) -> "Predictions":
        """Keep the images of a mask or of an array of places."""
        return Predictions(
            self.image_id[selection],
            self.lesion_id[selection],
            self.label[selection],
            self.scores[selection],
            self.classes,
            other_class=self.other_class,
        )

    def targets(self) -> NDArray[np.intp]:
        """Give the place of each label in ``classes``, (n,); -1 where the label is not known."""
        place = {name: index for index, name in enumerate(self.classes)}
        return np.array([place.get(str(name), -1) for name in self.label], dtype=np.intp)

    def _freeze(self, name: str, values: NDArray[Any]) -> None:
        values.setflags(write=False)
        object.__setattr__(self, name, values)


def _check_shape(predictions: Predictions) -> None:
    n, k = len(predictions.image_id), len(predictions.classes)
    if n == 0:
        raise PredictionsError("no image is predicted: at least one row is needed")
    if k < 2 or len(set(predictions.classes)) != k or "" in predictions.classes:
        raise PredictionsError(
            f"classes are {list(predictions.classes)}: at least two different names are needed"
        )
    shapes = {name: getattr(predictions, name).shape for name in ("image_id", "lesion_id", "label", "scores")}
    if shapes != {"image_id": (n,), "lesion_id": (n,), "label": (n,), "scores": (n, k)}:
        raise PredictionsError(f"arrays of {shapes} do not fit {n} images and {k} classes")
    if predictions.other_class and predictions.other_class not in predictions.classes:
        raise PredictionsError(
            unknown_name_message("class as the rest", predictions.other_class, predictions.classes)
        )


def _check_ids(ids: StrArray) -> None:
    if (ids == "").any():
        raise PredictionsError(f"{(ids == '').sum()} images have no image_id: name each one")
    names, counts = np.unique(ids, return_counts=True)
    twice = names[counts > 1]
    if len(twice):
        raise PredictionsError(
            f"{len(twice)} images come more than once: {format_examples(twice)}; keep one row for each"
        )


def _check_scores(predictions: Predictions) -> None:
    wrong = ~((predictions.scores >= 0) & (predictions.scores <= 1))  # NaN is wrong too
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise PredictionsError(
            f"{wrong.sum()} scores are not numbers from 0 to 1, the first for image "
            f"{str(predictions.image_id[row])!r}, class {predictions.classes[column]!r}: "
            f"{predictions.scores[row, column]}. Give probabilities (softmax), not logits."
        )


def _check_labels(predictions: Predictions) -> None:
    for name in np.unique(predictions.label):
        if name and str(name) not in predictions.classes:
            at = predictions.image_id[predictions.label == name]
            what = unknown_name_message("label", str(name), predictions.classes)
            raise PredictionsError(
                f"{what} (images: {format_examples(at)}). If it stands for none of these classes, give --other-class "
                f"{name} (other_class= in Python)."
            )


def format_examples(names: Sequence[Any] | NDArray[Any], *, max_shown: int = 5) -> str:
    """Name the first few of many.

    Examples
    --------
    >>> format_examples(["a", "b", "c"], max_shown=2)
    'a, b and 1 more'
    """
    shown = ", ".join(str(name) for name in names[:max_shown])
    return shown if len(names) <= max_shown else f"{shown} and {len(names) - max_shown} more"


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

    That class comes first, and its score is `other_class_score`.

    Parameters
    ----------
    image_id, lesion_id, label
        As for `Predictions`, (n,); an image that is none of ``classes`` has the label ``other_class``, one whose label
        is not known has "".
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
    >>> found = multilabel_predictions(["a"], [""], ["other"], [[0.2, 0.3]], ["melanoma", "seborrheic_keratosis"])
    >>> found.classes, found.scores.tolist(), found.other_class
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
    found = np.column_stack(
        [part.label == name for part, name in zip(binary_predictions, positive_classes, strict=True)]
    )
    several = found.sum(axis=1) > 1
    if several.any():
        raise PredictionsError(
            "joined predictions label an image with two diagnoses: "
            f"{format_examples(binary_predictions[0].image_id[several])}"
        )
    known = np.column_stack([part.label != "" for part in binary_predictions]).all(axis=1)
    names = np.where(found.any(axis=1), np.array(positive_classes)[found.argmax(axis=1)], "other")
    return np.where(known, names, "")
