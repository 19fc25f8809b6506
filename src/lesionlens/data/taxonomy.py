"""The diagnoses, their codes and spellings, and the tasks that are made of them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lesionlens.errors import DataError, unknown


class Diagnosis(NamedTuple):
    """How a diagnosis is written elsewhere.

    Attributes
    ----------
    code
        The column name of the ISIC challenges.
    aliases
        Other spellings of the same thing; a finer diagnosis (solar lentigo, blue nevus) is none.
    """

    code: str
    aliases: tuple[str, ...]


# The first seven in the order of ISIC 2018 task 3; then what only other data sets tell apart.
DIAGNOSES: Mapping[str, Diagnosis] = {
    "melanoma": Diagnosis("MEL", ("malignant melanoma",)),
    "nevus": Diagnosis("NV", ("naevus", "nevi", "naevi", "melanocytic nevus", "melanocytic naevus")),
    "basal_cell_carcinoma": Diagnosis("BCC", ()),
    "actinic_keratosis": Diagnosis("AKIEC", ("AK", "actinic keratoses")),
    "benign_keratosis": Diagnosis("BKL", ("benign keratosis-like lesion", "pigmented benign keratosis")),
    "dermatofibroma": Diagnosis("DF", ()),
    "vascular_lesion": Diagnosis("VASC", ("vascular", "vascular lesions")),
    "seborrheic_keratosis": Diagnosis("SK", ("seborrhoeic keratosis", "seborrheic keratoses")),
    "squamous_cell_carcinoma": Diagnosis("SCC", ()),
}

ISIC2017_CLASSES = ("melanoma", "nevus", "seborrheic_keratosis")
ISIC2018_CLASSES = tuple(DIAGNOSES)[:7]


def _plain(label: str) -> str:
    return re.sub(r"[\s_-]+", "_", label.strip().casefold())


_SPELLINGS = {
    _plain(spelling): name
    for name, diagnosis in DIAGNOSES.items()
    for spelling in (name, diagnosis.code, *diagnosis.aliases)
}


def canonical(label: str) -> str:
    """Give the canonical name of a diagnosis, whatever its case, spaces, hyphens or code.

    Raises
    ------
    DataError
        The label is no diagnosis of the taxonomy; the message names the nearest.

    Examples
    --------
    >>> canonical("Basal cell carcinoma"), canonical("nv"), canonical("AKIEC")
    ('basal_cell_carcinoma', 'nevus', 'actinic_keratosis')
    >>> canonical("melanome")
    Traceback (most recent call last):
    ...
    lesionlens.errors.DataError: unknown diagnosis 'melanome': did you mean 'melanoma'? Allowed: ...
    """
    try:
        return _SPELLINGS[_plain(label)]
    except KeyError:
        raise DataError(unknown("diagnosis", label, DIAGNOSES)) from None


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sort canonical names in the taxonomy's order, without repeats.

    Examples
    --------
    >>> in_order(["nevus", "melanoma", "nevus"])
    ('melanoma', 'nevus')
    """
    wanted = set(names)
    return tuple(name for name in DIAGNOSES if name in wanted)


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
    sought = name if name in classes else _SPELLINGS.get(_plain(name), name)
    if sought not in classes:
        raise DataError(unknown("task", name, ("all", *classes)))
    rest = "other" if sought != "other" else "rest"
    return Task(sought, (rest, sought), {each: sought if each == sought else rest for each in classes})
