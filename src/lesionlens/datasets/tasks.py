"""What a model is asked of a data set's diagnoses."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.core.taxonomy import canonical_or_raw


@dataclass(frozen=True)
class ClassificationTask:
    """What a model is asked: its classes, and which of them each diagnosis belongs to.

    Attributes
    ----------
    name
        As it was asked for, in canonical names.
    classes
        Names of the classes that targets count, in order; in a task of two the second is sought.
    mapping
        Diagnosis of the table to class of the task; a diagnosis that is not there has no place in it.
    multilabel
        Each class but the first, the rest, has a score of its own, which need not sum to one with the others.
    """

    name: str
    classes: tuple[str, ...]
    mapping: Mapping[str, str]
    multilabel: bool = False

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the scores that a network gives."""
        return self.classes[1:] if self.multilabel else self.classes

    def encode_labels(self, diagnosis: Iterable[str]) -> npt.NDArray[np.int64]:
        """Give the index of the class for each diagnosis, (n,).

        Raises
        ------
        DataError
            A diagnosis has no place in this task.
        """
        index = {name: self.classes.index(chosen) for name, chosen in self.mapping.items()}
        wanted = list(diagnosis)
        strangers = sorted(set(wanted) - set(index))
        if strangers:
            raise DataError(
                unknown_name_message(f"diagnosis in the task {self.name!r}:", strangers[0], index)
            )
        return np.array([index[name] for name in wanted], dtype=np.int64)


def make_task(name: str, table_classes: Sequence[str]) -> ClassificationTask:
    """Make a task of the table's classes.

    Parameters
    ----------
    name
        ``all``: every class; ``melanoma``: one against the rest; ``seborrheic_keratosis/nevus``: one against another,
        the rest left out; ``melanoma+seborrheic_keratosis``: several, each against everything else.
    table_classes
        The classes there are.

    Raises
    ------
    DataError
        The table has no such class, or only one.

    Examples
    --------
    >>> three = ["melanoma", "nevus", "seborrheic_keratosis"]
    >>> make_task("melanoma", three).classes
    ('other', 'melanoma')
    >>> make_task("all", ["melanoma", "nevus"]).encode_labels(["nevus", "melanoma"])
    array([1, 0])
    >>> make_task("SK/nevus", three).mapping
    {'nevus': 'nevus', 'seborrheic_keratosis': 'seborrheic_keratosis'}
    >>> make_task("melanoma+SK", three).output_names
    ('melanoma', 'seborrheic_keratosis')
    """
    classes = tuple(table_classes)
    if len(classes) < 2:
        raise DataError(f"a task needs two classes or more; the table has {list(classes)}")
    if name == "all":
        return ClassificationTask(name, classes, {each: each for each in classes})
    if name not in classes and "/" in name:
        sought, against = _parse_class_names(name, "/", classes)
        return ClassificationTask(
            f"{sought}/{against}", (against, sought), {against: against, sought: sought}
        )
    if name not in classes and "+" in name:
        several = _parse_class_names(name, "+", classes)
        return _one_vs_rest("+".join(several), several, classes, multilabel=True)
    (sought,) = _parse_class_names(name, None, classes)
    return _one_vs_rest(sought, (sought,), classes)


def _parse_class_names(text: str, separator: str | None, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Find the classes that a task names, each once."""
    words = [text] if separator is None else text.split(separator)
    found = tuple(word if word in classes else canonical_or_raw(word) for word in words)
    for word, name in zip(words, found, strict=True):
        if name not in classes:
            raise DataError(unknown_name_message("task", word, ("all", *classes)))
    if len(set(found)) < len(found) or (separator == "/" and len(found) != 2):
        raise DataError(
            f"the task {text!r} is none; write one class, ONE/OTHER for one against another, or ONE+OTHER for scores "
            "of their own"
        )
    return found


def _one_vs_rest(
    name: str, positive: tuple[str, ...], classes: tuple[str, ...], *, multilabel: bool = False
) -> ClassificationTask:
    rest = "other" if "other" not in positive else "rest"
    mapping = {each: each if each in positive else rest for each in classes}
    return ClassificationTask(name, (rest, *positive), mapping, multilabel)
