"""Scores as read from a file, before their labels are matched to the classes."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import PredictionsError
from lesionlens.core.missing import is_missing
from lesionlens.core.taxonomy import is_diagnosis, match_class, match_classes
from lesionlens.core.types import FloatArray, StrArray
from lesionlens.datasets.split_names import canonical_split_name
from lesionlens.evaluation.calibrated_columns import (
    CLASS_FIELDS,
    IMAGE_FIELDS,
    SCORE_TOLERANCE,
    OptionalFields,
    concatenate_optional_fields,
    optional_fields,
)
from lesionlens.evaluation.labels import resolve_labels, resolve_other_class
from lesionlens.evaluation.predictions import (
    OTHER_CLASS_NAMES,
    Predictions,
    format_examples,
    multilabel_predictions,
)

SCORE_PREFIX = "p_"
_SUM_TOLERANCE = 1e-3  # scores written with three digits still sum to one
_MAX_FOREIGN_COLUMNS = 3  # columns that are not scores, in one file
_MAX_COMBINED_COLUMNS = 20  # of which every set of three is tried


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Scores of n images for k classes, with labels as they were written.

    Attributes
    ----------
    image_id, lesion_id, label
        Texts of each image, (n,); a lesion or label that is not known is "" or a word for it.
    scores
        Score of each class, (n, k).
    classes
        Names of the k classes.
    other_class
        Class of images that belong to none of the target classes, with or without scores; "" if there is none.
    split
        Split of each image, (n,), or empty if it is not known.
    caveats
        Limits that were noticed on reading.
    optional
        Optional fields of `Predictions`, such as calibrated scores, by their names.
    """

    image_id: StrArray
    lesion_id: StrArray
    label: StrArray
    scores: FloatArray
    classes: tuple[str, ...]
    other_class: str = ""
    split: StrArray | None = None
    caveats: tuple[str, ...] = ()
    optional: OptionalFields = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.image_id)

    def select(self, selection: NDArray[Any]) -> "ScoreTable":
        """Return some images, selected by a mask or by an array of indices."""
        names = ("image_id", "lesion_id", "label", "scores")
        split = None if self.split is None else self.split[selection]
        optional = {name: values[selection] for name, values in self.optional.items()}
        columns = {name: getattr(self, name)[selection] for name in names}
        return replace(self, **columns, split=split, optional=optional)

    def with_classes_like(self, classes: Sequence[str]) -> "ScoreTable":
        """Return the same scores with the spelling of ``classes``, if they mean the same classes."""
        return replace(self, classes=tuple(match_classes(self.classes, classes).values()))

    def without_labels(self) -> "ScoreTable":
        """Return the same scores without labels."""
        return replace(self, label=np.full(len(self), ""))

    def to_predictions(self, other_class: str | None = None) -> Predictions:
        """Match the labels to the classes.

        Parameters
        ----------
        other_class
            Class of images that belong to none of the target classes (see `resolve_other_class`); default: that of the
            file.

        Raises
        ------
        PredictionsError
            See `Predictions`, `resolve_labels` and `resolve_other_class`; also if a column is not a class.
        """
        other = self.other_class and (match_class(self.other_class, self.classes) or self.other_class)
        if other_class:
            other = resolve_other_class(other_class, self.classes, self.label)
        accept_any = bool(other_class) and other in OTHER_CLASS_NAMES
        is_derived = bool(other) and other not in self.classes
        classes = (other, *self.classes) if is_derived else self.classes
        label, caveats = resolve_labels(self.label, classes, image_id=self.image_id, accept_any=accept_any)
        if not other:
            _check_columns_are_classes(self.scores, classes, label)
        columns = self.image_id, self.lesion_id, label, self.scores, self.classes
        predictions = (
            multilabel_predictions(*columns, other_class=other)
            if is_derived
            else Predictions(*columns, other_class=other)
        )
        optional: dict[str, Any] = {
            name: values for name, values in self.optional.items() if not is_derived or name in IMAGE_FIELDS
        }
        if len(optional) < len(self.optional):
            caveats = (*caveats, _without_other_class_caveat(other))
        return replace(predictions, caveats=(*self.caveats, *caveats), **optional)


def table_of(predictions: Predictions) -> ScoreTable:
    """Return predictions as a table, to which other labels can be attached."""
    return ScoreTable(
        predictions.image_id,
        predictions.lesion_id,
        predictions.label,
        predictions.scores,
        predictions.classes,
        predictions.other_class,
        caveats=predictions.caveats,
        optional=optional_fields(predictions),
    )


def select_split(table: ScoreTable, path: Path, name: str) -> ScoreTable:
    """Return the images of one split, in any usual spelling, or with exactly this text in the column ``split``.

    Raises
    ------
    PredictionsError
        The table has no column ``split``, or no image is in this split.
    """
    if table.split is None:
        raise PredictionsError(f"{path} has no column split, so --split {name} cannot be applied. Remove it")
    selected = split_mask(table.split, name, source=str(path))
    caveat = f"Only images of the split {name}: {selected.sum():,} of {len(selected):,}."
    return replace(table.select(selected), caveats=(*table.caveats, caveat))


def split_mask(split: StrArray, name: str, *, source: str) -> NDArray[np.bool_]:
    """Return whether each image is in a split (see `select_split`)."""
    canonical = canonical_split_name(name)
    names = {
        str(text): str(text) == name or (bool(canonical) and canonical_split_name(str(text)) == canonical)
        for text in np.unique(split)
    }
    if not any(names.values()):
        present = [text for text in names if not is_missing(text)]
        raise PredictionsError(
            f"no image of {source} is in the split {name!r}; its splits are {format_examples(present)}"
        )
    return np.array([names[str(text)] for text in split])


def concatenate(tables: Sequence[ScoreTable], names: Sequence[str]) -> ScoreTable:
    """Join parts with the same classes and different images, such as the files of two splits.

    Raises
    ------
    PredictionsError
        Two parts have an image in common, or different other classes.
    """
    first = tables[0]
    if len({table.other_class for table in tables}) > 1:
        raise PredictionsError(f"{' and '.join(names)} have different other classes; pass --other-class")
    ids, counts = np.unique(
        np.concatenate([np.unique(table.image_id) for table in tables]), return_counts=True
    )
    if (counts > 1).any():
        raise PredictionsError(
            f"{' and '.join(names)} have the same classes and {(counts > 1).sum()} images in common "
            f"({format_examples(ids[counts > 1])}). Parts of one evaluation need different images; to compare models, "
            "use lesionlens compare"
        )
    scores = [table.scores[:, [table.classes.index(name) for name in first.classes]] for table in tables]
    splits = [table.split for table in tables if table.split is not None]
    split = np.concatenate(splits) if len(splits) == len(tables) else None
    optional, partial_caveat = concatenate_optional_fields(
        [_in_class_order(table, first) for table in tables]
    )
    return replace(
        first,
        image_id=np.concatenate([table.image_id for table in tables]),
        lesion_id=np.concatenate([table.lesion_id for table in tables]),
        label=np.concatenate([table.label for table in tables]),
        scores=np.concatenate(scores),
        split=split,
        caveats=(
            *dict.fromkeys(caveat for table in tables for caveat in table.caveats),
            *partial_caveat,
        ),
        optional=optional,
    )


def _in_class_order(table: ScoreTable, reference: ScoreTable) -> OptionalFields:
    """Return the optional fields of a table, with columns in the order of the classes of another."""
    columns = [table.classes.index(name) for name in reference.classes]
    return {
        name: values[:, columns] if name in CLASS_FIELDS else values
        for name, values in table.optional.items()
    }


def _without_other_class_caveat(other_class: str) -> str:
    return f"Calibrated scores and prediction sets of the file are ignored: they have no column of {other_class}."


def _check_columns_are_classes(scores: FloatArray, classes: tuple[str, ...], label: StrArray) -> None:
    """Raise an error about columns such as p_value, which no image has as a label and which break the scores."""
    present = set(map(str, label)) - {""}
    foreign = [k for k, name in enumerate(classes) if name not in present and not _is_class_name(name)]
    if not present or not foreign:
        return
    is_wrong = ~((scores >= -SCORE_TOLERANCE) & (scores <= 1 + SCORE_TOLERANCE)).all(axis=0)
    if is_wrong.any():
        if set(np.flatnonzero(is_wrong)) <= set(foreign):
            raise _foreign_columns_error(
                [classes[k] for k in np.flatnonzero(is_wrong)], "it has other values"
            )
        return
    for subset in _subsets_that_break_sums(scores, foreign):
        raise _foreign_columns_error(
            [classes[k] for k in subset], "without it the scores of each image sum to one"
        )


def _subsets_that_break_sums(scores: FloatArray, columns: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield sets of columns without which the scores of all images sum to one, if those of most do not now."""
    sums = scores.sum(axis=1)
    if np.median(np.abs(sums - 1)) <= _SUM_TOLERANCE:
        return
    largest = _MAX_FOREIGN_COLUMNS if len(columns) <= _MAX_COMBINED_COLUMNS else 1
    for size in range(1, min(largest, len(columns), scores.shape[1] - 2) + 1):
        for subset in itertools.combinations(columns, size):
            rest = sums - scores[:, subset].sum(axis=1)
            if (np.abs(rest - 1) <= _SUM_TOLERANCE).all():
                yield subset


def _foreign_columns_error(names: Sequence[str], reason: str) -> PredictionsError:
    columns = " and ".join(SCORE_PREFIX + name for name in names)
    return PredictionsError(
        f"{columns}: every column that begins with {SCORE_PREFIX} is read as the scores of a class. No image has such "
        f"a label, and {reason}. Rename or remove the column if it is not a class"
    )


def _is_class_name(name: str) -> bool:
    return is_diagnosis(name) or name in OTHER_CLASS_NAMES
