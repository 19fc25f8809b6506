"""Classification tasks: how the diagnoses of a dataset map to the classes of a model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.core.task_names import class_task, parse_task


@dataclass(frozen=True)
class ClassificationTask:
    """Classes of a model, and the class of each diagnosis.

    Attributes
    ----------
    name
        Name of the task, with canonical class names.
    classes
        Class names in the order of the target indices; in a binary task the second is the positive class.
    mapping
        Diagnosis of the table to class of the task; images of other diagnoses are excluded.
    multilabel
        Whether each class except the first (the rest) has an independent score; such scores need not sum to 1.
    """

    name: str
    classes: tuple[str, ...]
    mapping: Mapping[str, str]
    multilabel: bool = False

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the scores that a model outputs."""
        return self.classes[1:] if self.multilabel else self.classes

    def encode_labels(self, diagnosis: Iterable[str]) -> npt.NDArray[np.int64]:
        """Return the class index of each diagnosis, (n,).

        Raises
        ------
        DataError
            A diagnosis does not belong to the task.
        """
        index = {name: self.classes.index(class_name) for name, class_name in self.mapping.items()}
        labels = list(diagnosis)
        unknown = sorted(set(labels) - set(index))
        if unknown:
            raise DataError(unknown_name_message(f"diagnosis in the task {self.name!r}:", unknown[0], index))
        return np.array([index[name] for name in labels], dtype=np.int64)


def make_task(name: str, table_classes: Sequence[str]) -> ClassificationTask:
    """Build a task from the classes of a table.

    Parameters
    ----------
    name
        ``all``: every class; ``melanoma``: one class against the rest; ``seborrheic_keratosis/nevus``: one class
        against another, without the rest; ``melanoma+seborrheic_keratosis``: several classes, each against the rest.
    table_classes
        Classes of the table.

    Raises
    ------
    DataError
        The table lacks a class, or has only one.

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
    kind, names = parse_task(name, classes)
    if kind == "all":
        return ClassificationTask(name, classes, {diagnosis: diagnosis for diagnosis in classes})
    if kind == "one-vs-one":
        positive, negative = names
        return ClassificationTask(
            "/".join(names), (negative, positive), {negative: negative, positive: positive}
        )
    if kind == "multilabel":
        return _one_vs_rest("+".join(names), names, classes, multilabel=True)
    return _one_vs_rest(class_task(names[0], classes), names, classes)


def _one_vs_rest(
    name: str, positive: tuple[str, ...], classes: tuple[str, ...], *, multilabel: bool = False
) -> ClassificationTask:
    rest = "other" if "other" not in positive else "rest"
    mapping = {diagnosis: diagnosis if diagnosis in positive else rest for diagnosis in classes}
    return ClassificationTask(name, (rest, *positive), mapping, multilabel)
