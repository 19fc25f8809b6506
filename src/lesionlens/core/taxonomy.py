"""The diagnoses, their codes and spellings."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from lesionlens.core.errors import DataError, unknown_name_message

BENIGN_DIAGNOSES = frozenset(
    {"nevus", "benign_keratosis", "seborrheic_keratosis", "dermatofibroma", "vascular_lesion", "benign"}
)


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
    # ISIC 2019 calls it "unknown", which everywhere else says that a cell is empty.
    "none_of_the_others": Diagnosis("UNK", ()),
    "benign": Diagnosis("BEN", ()),
}

ISIC2016_CLASSES = ("melanoma", "benign")
ISIC2017_CLASSES = ("melanoma", "nevus", "seborrheic_keratosis")
ISIC2018_CLASSES = tuple(DIAGNOSES)[:7]
ISIC2019_CLASSES = (*ISIC2018_CLASSES, "squamous_cell_carcinoma")


def _normalize_label(label: str) -> str:
    return re.sub(r"[\s_-]+", "_", label.strip().casefold())


_CANONICAL_NAMES = {
    _normalize_label(spelling): name
    for name, diagnosis in DIAGNOSES.items()
    for spelling in (name, diagnosis.code, *diagnosis.aliases)
}


def canonical_name(label: str) -> str:
    """Give the canonical name of a diagnosis, whatever its case, spaces, hyphens or code.

    Raises
    ------
    DataError
        The label is no diagnosis of the taxonomy; the message names the nearest.

    Examples
    --------
    >>> canonical_name("Basal cell carcinoma"), canonical_name("nv"), canonical_name("AKIEC")
    ('basal_cell_carcinoma', 'nevus', 'actinic_keratosis')
    >>> canonical_name("melanome")
    Traceback (most recent call last):
    ...
    lesionlens.core.errors.DataError: unknown diagnosis 'melanome': did you mean 'melanoma'? Allowed: ...
    """
    try:
        return _CANONICAL_NAMES[_normalize_label(label)]
    except KeyError:
        raise DataError(unknown_name_message("diagnosis", label, DIAGNOSES)) from None


def canonical_or_raw(label: str) -> str:
    """Give the canonical name of a diagnosis, or the label itself where it is none."""
    return _CANONICAL_NAMES.get(_normalize_label(label), label)


def sort_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Sort canonical names in the taxonomy's order, without repeats.

    Examples
    --------
    >>> sort_classes(["nevus", "melanoma", "nevus"])
    ('melanoma', 'nevus')
    """
    wanted = set(names)
    return tuple(name for name in DIAGNOSES if name in wanted)
