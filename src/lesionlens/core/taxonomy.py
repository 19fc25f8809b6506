"""Diagnoses: canonical names, ISIC codes and alternative spellings."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from lesionlens.core.errors import DataError, unknown_name_message

BENIGN_DIAGNOSES = frozenset(
    {"nevus", "benign_keratosis", "seborrheic_keratosis", "dermatofibroma", "vascular_lesion", "benign"}
)


class Diagnosis(NamedTuple):
    """Other names of a diagnosis.

    Attributes
    ----------
    code
        Column name in the ISIC challenges.
    aliases
        Other spellings of the same diagnosis, not of a subtype (solar lentigo, blue nevus).
    """

    code: str
    aliases: tuple[str, ...]


# The first seven in the order of ISIC 2018 task 3, then those that only other datasets distinguish.
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
    # ISIC 2019 calls it "unknown", which everywhere else means an empty cell.
    "none_of_the_others": Diagnosis("UNK", ()),
    "benign": Diagnosis("BEN", ()),
}

ISIC2016_CLASSES = ("melanoma", "benign")
ISIC2017_CLASSES = ("melanoma", "nevus", "seborrheic_keratosis")
ISIC2018_CLASSES = tuple(DIAGNOSES)[:7]
ISIC2019_CLASSES = (*ISIC2018_CLASSES, "squamous_cell_carcinoma")


@lru_cache(maxsize=10_000)  # tables repeat few labels
def _normalize_label(label: str) -> str:
    text = unicodedata.normalize("NFC", label).strip().casefold()
    return re.sub(
        r"(?<=\d)\.0+$", "", re.sub(r"[\s_-]+", "_", text)
    )  # 1.0: pandas' 1 in a column with empty cells


_CANONICAL_NAMES = {
    _normalize_label(spelling): name
    for name, diagnosis in DIAGNOSES.items()
    for spelling in (name, diagnosis.code, *diagnosis.aliases)
}


def canonical_name(label: str) -> str:
    """Return the canonical name of a diagnosis, given as a name, code or alias in any case, with spaces or hyphens.

    Raises
    ------
    DataError
        The label is not in the taxonomy; the message names the closest match.

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


def is_diagnosis(label: str) -> bool:
    """Return whether a label is in the taxonomy, in any spelling."""
    return _normalize_label(label) in _CANONICAL_NAMES


def canonical_or_raw(label: str) -> str:
    """Return the canonical name of a diagnosis, or the label itself if it is not in the taxonomy."""
    return _CANONICAL_NAMES.get(_normalize_label(label), label)


def match_class(label: str, classes: Sequence[str]) -> str:
    """Return the class that a label means: by its name in any spelling, its code or an alias; "" if none or several do.

    A class may have any name, also one that usually means "not known" (see `lesionlens.core.missing.is_missing`): match
    before looking for missing labels.

    Examples
    --------
    >>> match_class("MEL", ["melanoma", "nevus"]), match_class("spitz-nevus", ["Spitz nevus", "wart"])
    ('melanoma', 'Spitz nevus')
    >>> match_class("1.0", ["0", "1"]), match_class("NA", ["NA", "EU"]), match_class("wart", ["melanoma", "nevus"])
    ('1', 'NA', '')
    """
    if label in classes:
        return label
    key = _match_key(label)
    matches = [name for name in classes if key and _match_key(name) == key]
    return matches[0] if len(matches) == 1 else ""


def match_classes(names: Sequence[str], classes: Sequence[str]) -> dict[str, str]:
    """Return the class of each name if the names mean the same classes in other spellings, otherwise the names.

    Examples
    --------
    >>> match_classes(["MEL", "nv"], ["nevus", "melanoma"]), match_classes(["MEL", "SCC"], ["melanoma", "nevus"])
    ({'MEL': 'melanoma', 'nv': 'nevus'}, {'MEL': 'MEL', 'SCC': 'SCC'})
    """
    matched = {name: match_class(name, classes) for name in names}
    return matched if set(matched.values()) == set(classes) else {name: name for name in names}


def _match_key(label: str) -> str:
    return _CANONICAL_NAMES.get(key := _normalize_label(label), key)


def sort_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Sort canonical names in the order of the taxonomy, without duplicates.

    Examples
    --------
    >>> sort_classes(["nevus", "melanoma", "nevus"])
    ('melanoma', 'nevus')
    """
    selected = set(names)
    return tuple(name for name in DIAGNOSES if name in selected)
