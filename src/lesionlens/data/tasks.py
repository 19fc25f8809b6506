"""What a model is asked of a data set's diagnoses."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lesionlens.data.taxonomy import spelling
from lesionlens.errors import DataError, unknown


@dataclass(frozen=True)
class Task:
    """What a model is asked: its classes, and which of them each diagnosis belongs to.

    Attributes
    ----------
    name
        ``all``, or the diagnosis that is told from the rest.
    classes
        Names of the classes, in the order of the model's outputs; in a task of two the second is sought.
    mapping
        Diagnosis of the table to class of the task.
    """

    name: str
    classes: tuple[str, ...]
    mapping: Mapping[str, str]

    def targets(self, diagnosis: Iterable[str]) -> npt.NDArray[np.int64]:
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
            raise DataError(unknown(f"diagnosis in the task {self.name!r}:", strangers[0], index))
        return np.array([index[name] for name in wanted], dtype=np.int64)


def task(name: str, table_classes: Sequence[str]) -> Task:
    """Make the task ``all`` (every class of the table), or one diagnosis against the rest.

    Raises
    ------
    DataError
        The table has no such class, or only one.

    Examples
    --------
    >>> task("melanoma", ["melanoma", "nevus", "seborrheic_keratosis"]).classes
    ('other', 'melanoma')
    >>> task("all", ["melanoma", "nevus"]).targets(["nevus", "melanoma"])
    array([1, 0])
    """
    classes = tuple(table_classes)
    if len(classes) < 2:
        raise DataError(f"a task needs two classes or more; the table has {list(classes)}")
    if name == "all":
        return Task(name, classes, {each: each for each in classes})
    sought = name if name in classes else spelling(name)
    if sought not in classes:
        raise DataError(unknown("task", name, ("all", *classes)))
    rest = "other" if sought != "other" else "rest"
    return Task(sought, (rest, sought), {each: sought if each == sought else rest for each in classes})
