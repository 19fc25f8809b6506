"""Predictions of a model for a set of images, with their labels if known."""

import unicodedata
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesionlens.core.errors import PredictionsError, unknown_name_message
from lesionlens.core.missing import OWN_GROUP_SUFFIX, fill_missing_groups, is_missing
from lesionlens.core.taxonomy import match_classes
from lesionlens.core.types import BoolArray, FloatArray, StrArray
from lesionlens.evaluation.calibrated_columns import (
    CLASS_FIELDS,
    SCORE_TOLERANCE,
    check_optional_fields,
    optional_fields,
)


@dataclass(frozen=True, eq=False)
class Predictions:
    """Scores of n images for k classes; validated at construction, read-only.

    Scores need not sum to one over the classes: the official formats allow independent scores.

    Attributes
    ----------
    image_id
        Unique name of each image, (n,).
    lesion_id
        Name of the lesion of each image, (n,): the bootstrap resamples images of one lesion together. An image whose
        lesion is not known ("", "NA", "unknown"; see `is_missing`) is its own lesion.
    label
        True class of each image, (n,); "" if unknown.
    scores
        Model score of each class, (n, k), between 0 and 1; rounding errors of up to 1e-6 beyond are clipped.
    classes
        Names of the k classes; any printable text.
    other_class
        The one of ``classes`` for images that belong to none of the target classes, or "" if there is none. Averages
        over classes exclude it. If the scores are independent (ISIC 2017), its score is derived from the others.
    caveats
        Limits that were noticed when the predictions were read, one sentence each.
    calibrated_scores
        Calibrated score of each class, (n, k), between 0 and 1; None if the predictions have none.
    prediction_sets
        Whether each class is in the prediction set of each image, (n, k); None if the predictions have none.
    abstain
        Whether the model abstains from a prediction, (n,); None if that is not known.
    ood_percentile
        Percentile of the distance of each image to the training images, (n,), from 0 to 100; NaN if an image has none,
        None if the predictions have none.

    Raises
    ------
    PredictionsError
        There is no image, an image occurs twice, array shapes do not match, a score is not a number in [0, 1], or a
        label or other_class is not one of the classes. See also `check_optional_fields`.
    """

    image_id: StrArray
    lesion_id: StrArray
    label: StrArray
    scores: FloatArray
    classes: tuple[str, ...]
    other_class: str = field(default="", kw_only=True)
    caveats: tuple[str, ...] = field(default=(), kw_only=True)
    calibrated_scores: FloatArray | None = field(default=None, kw_only=True)
    prediction_sets: BoolArray | None = field(default=None, kw_only=True)
    abstain: BoolArray | None = field(default=None, kw_only=True)
    ood_percentile: FloatArray | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("image_id", "lesion_id", "label"):
            self._freeze(name, np.array(getattr(self, name), dtype=np.str_))
        self._freeze("scores", np.array(self.scores, dtype=np.float64))
        object.__setattr__(self, "classes", tuple(self.classes))
        _check_shape(self)
        _check_ids(self.image_id)
        lesions = fill_missing_groups(self.lesion_id.tolist(), self.image_id.tolist())
        self._freeze("lesion_id", np.array(lesions, dtype=np.str_))
        _check_scores(self)
        self._freeze("scores", np.clip(self.scores, 0, 1))
        self._freeze("label", _without_missing_words(self.label, self.classes))
        _check_labels(self)
        optional = check_optional_fields(optional_fields(self), self.image_id, len(self.classes))
        for name, values in optional.items():
            self._freeze(name, values)

    def __len__(self) -> int:
        return len(self.image_id)

    def select(self, selection: NDArray[Any]) -> "Predictions":
        """Return the predictions of some images, selected by a mask or by an array of indices."""
        names = ("image_id", "lesion_id", "label", "scores", *optional_fields(self))
        return replace(self, **{name: getattr(self, name)[selection] for name in names})

    @property
    def has_unknown_lesion(self) -> BoolArray:
        """Whether each image is its own lesion because its lesion is not known, (n,)."""
        own = np.char.add(self.image_id, OWN_GROUP_SUFFIX)
        return np.asarray((self.lesion_id == self.image_id) | (self.lesion_id == own))

    @property
    def known_lesion_id(self) -> StrArray:
        """Lesion of each image, (n,); "" if it is not known."""
        return np.where(self.has_unknown_lesion, "", self.lesion_id)

    def with_scores(self, scores: FloatArray) -> "Predictions":
        """Return the same images with other valid scores of the same shape, without repeating the other checks."""
        result = copy(self)
        result._freeze("scores", scores)
        return result

    def with_classes_like(self, classes: Sequence[str]) -> "Predictions":
        """Return the same predictions with the spelling of ``classes``, if they mean the same classes."""
        names = {"": "", **match_classes(self.classes, classes)}
        return replace(
            self,
            classes=tuple(names[name] for name in self.classes),
            label=np.array([names[str(name)] for name in self.label]),
            other_class=names[self.other_class],
        )

    def with_class_order(self, classes: Sequence[str]) -> "Predictions":
        """Return the same predictions with the columns of the same classes in another order."""
        columns = [self.classes.index(name) for name in classes]
        names = ("scores", *(name for name in optional_fields(self) if name in CLASS_FIELDS))
        return replace(
            self, classes=tuple(classes), **{name: getattr(self, name)[:, columns] for name in names}
        )

    @property
    def has_independent_scores(self) -> bool:
        """Whether the scores are independent sigmoids, with a derived score of ``other_class``."""
        if not self.other_class:
            return False
        other = self.classes.index(self.other_class)
        derived = other_class_score(np.delete(self.scores, other, axis=1))
        return bool(np.abs(self.scores[:, other] - derived).max() <= SCORE_TOLERANCE)

    @property
    def scored_columns(self) -> list[int]:
        """Columns of the classes that the model scores: all, or those of independent scores without the derived one."""
        return self.columns_without_derived(independent=self.has_independent_scores)

    def columns_without_derived(self, *, independent: bool) -> list[int]:
        """Return the columns that a model scores, if its scores are independent or not."""
        omitted = self.other_class if independent else ""
        return [k for k, name in enumerate(self.classes) if name != omitted]

    def targets(self) -> NDArray[np.intp]:
        """Return the index of each label in ``classes``, (n,); -1 if the label is unknown."""
        index = {name: k for k, name in enumerate(self.classes)}
        return np.array([index.get(str(name), -1) for name in self.label], dtype=np.intp)

    def _freeze(self, name: str, values: NDArray[Any]) -> None:
        values.setflags(write=False)
        object.__setattr__(self, name, values)


def _check_shape(predictions: Predictions) -> None:
    n, k = len(predictions.image_id), len(predictions.classes)
    if n == 0:
        raise PredictionsError("there are no predictions: at least one row is required")
    if k < 2 or len(set(predictions.classes)) != k or "" in predictions.classes:
        raise PredictionsError(
            f"classes are {list(predictions.classes)}: at least two different names are required"
        )
    if unprintable := [name for name in predictions.classes if _has_control_characters(name)]:
        raise PredictionsError(
            f"the class {unprintable[0]!r} contains control characters, which tables and figures cannot show; rename it"
        )
    shapes = {name: getattr(predictions, name).shape for name in ("image_id", "lesion_id", "label", "scores")}
    if shapes != {"image_id": (n,), "lesion_id": (n,), "label": (n,), "scores": (n, k)}:
        raise PredictionsError(f"arrays of shapes {shapes} do not match {n} images and {k} classes")
    if predictions.other_class and predictions.other_class not in predictions.classes:
        raise PredictionsError(
            unknown_name_message("other class", predictions.other_class, predictions.classes)
        )


def _has_control_characters(text: str) -> bool:
    return any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)


def _check_ids(ids: StrArray) -> None:
    if (ids == "").any():
        raise PredictionsError(f"{(ids == '').sum()} rows have no image_id: every image needs a name")
    names, counts = np.unique(ids, return_counts=True)
    duplicates = names[counts > 1]
    if len(duplicates):
        raise PredictionsError(
            f"duplicate images ({len(duplicates)}): {format_examples(duplicates)}; keep one row per image"
        )


def _check_scores(predictions: Predictions) -> None:
    low, high = -SCORE_TOLERANCE, 1 + SCORE_TOLERANCE
    wrong = ~((predictions.scores >= low) & (predictions.scores <= high))  # NaN is wrong too
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise PredictionsError(
            f"{wrong.sum()} scores are not numbers from 0 to 1, the first one for image "
            f"{str(predictions.image_id[row])!r}, class {predictions.classes[column]!r}: "
            f"{predictions.scores[row, column]}. {_score_advice(predictions.scores[wrong])}"
        )


def _score_advice(wrong: FloatArray) -> str:
    """Return what to do about scores that are out of range, from their values."""
    if np.isnan(wrong).any():
        return "A score is missing: score these images again, or remove their rows"
    if wrong.min() >= 0 and np.abs(wrong).max() <= 100 + SCORE_TOLERANCE and wrong.max() > 1.5:
        return "If the scores are percent, divide them by 100; if they are logits, apply the softmax"
    if wrong.max() <= 1.5 and wrong.min() > -0.5:
        return f"Only rounding errors of up to {SCORE_TOLERANCE:g} are accepted: normalize the scores"
    return "Scores must be probabilities (softmax), not logits"


def _without_missing_words(label: StrArray, classes: Sequence[str]) -> StrArray:
    """Replace words for "not known" by "", unless a class has this name."""
    missing = [name for name in np.unique(label) if str(name) not in classes and is_missing(str(name))]
    return np.where(np.isin(label, missing), "", label)


def _check_labels(predictions: Predictions) -> None:
    for name in np.unique(predictions.label):
        if name and str(name) not in predictions.classes:
            images = predictions.image_id[predictions.label == name]
            message = unknown_name_message("label", str(name), predictions.classes)
            raise PredictionsError(f"{message} (images: {format_examples(images)})")


def format_examples(names: Sequence[Any] | NDArray[Any], *, max_shown: int = 5) -> str:
    """Return the first few names and the number of the others.

    Examples
    --------
    >>> format_examples(["a", "b", "c"], max_shown=2)
    'a, b and 1 more'
    """
    shown = ", ".join(str(name) for name in names[:max_shown])
    return shown if len(names) <= max_shown else f"{shown} and {len(names) - max_shown} more"


OTHER_CLASS_NAMES = ("other", "rest")  # names of the negative class of a one-vs-rest task


def multilabel_predictions(
    image_id: ArrayLike,
    lesion_id: ArrayLike,
    label: ArrayLike,
    scores: ArrayLike,
    classes: Sequence[str],
    *,
    other_class: str = "other",
) -> Predictions:
    """Build predictions from independent scores and add a class for images that belong to none of the classes.

    That class comes first, and its score is `other_class_score`.

    Parameters
    ----------
    image_id, lesion_id, label
        As for `Predictions`, (n,); an image of none of ``classes`` has the label ``other_class``, an image without a
        known label has "".
    scores
        Score of each diagnosis, (n, k), between 0 and 1: sigmoids, which need not sum to one.
    classes
        Names of the k diagnoses, without ``other_class``.
    other_class
        Name of the added class.

    Raises
    ------
    PredictionsError
        See `Predictions`.

    Examples
    --------
    >>> predictions = multilabel_predictions(["a"], [""], ["other"], [[0.2, 0.3]], ["melanoma", "seborrheic_keratosis"])
    >>> predictions.classes, predictions.scores.tolist(), predictions.other_class
    (('other', 'melanoma', 'seborrheic_keratosis'), [[0.7, 0.2, 0.3]], 'other')
    """
    target_scores = np.asarray(scores, dtype=np.float64)
    if target_scores.ndim != 2 or target_scores.shape[1] != len(classes):
        raise PredictionsError(
            f"scores of shape {target_scores.shape} do not match {len(classes)} classes: the shape must be (n, k)"
        )
    # clipped, so that an error about a score out of range names that score and not the derived one
    all_scores = np.column_stack([np.clip(other_class_score(target_scores), 0, 1), target_scores])
    return Predictions(
        np.asarray(image_id),
        np.asarray(lesion_id),
        np.asarray(label),
        all_scores,
        (other_class, *classes),
        other_class=other_class,
    )


def other_class_score(scores: FloatArray) -> FloatArray:
    """Return one minus the largest of independent scores, (n, k) -> (n,).

    The other class then has the largest score exactly if no score reaches 0.5, the decision rule of ISIC 2017.
    """
    return np.asarray(1 - scores.max(axis=1))
