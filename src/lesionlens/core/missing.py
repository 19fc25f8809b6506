"""Table cells that mean "not known", and groups that are too large to be one lesion or patient."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

NA_WORDS = frozenset(
    [
        "na",
        "n/a",
        "n.a",
        "n.a.",
        "nan",
        "nan(ind)",
        "nat",
        "null",
        "nil",
        "none",
        "undefined",
        "unknown",
        "unk",
        "missing",
        "blank",
        "empty",
        "unspecified",
        "not_known",
        "not_available",
        "not_applicable",
        "not_specified",
        "not_recorded",
        "not_given",
        "none_given",
        "not_done",
        "not_collected",
        "not_determined",
        "no_data",
        "no_label",
        "no_diagnosis",
        "unlabeled",
        "unlabelled",
        "not_labeled",
        "not_labelled",
        "pending",
        "tbd",
        "redacted",
        "n.d",
        "n.d.",
        "n/d",
        "k.a",
        "k.a.",
        "unbekannt",
        "desconocido",
        "inconnu",
        "sconosciuto",
        "na_character_",
        "na_integer_",
        "na_real_",
        "1.#ind",
        "1.#qnan",
        "#n/a",
        "#n/a_n/a",
        "#na",
        "#nv",
        "#err",
        "#error",
        "#unknown",
        "#getting_data",
    ]
)
"""Words of spreadsheets, R, pandas, SQL and English, in lower case and with underscores for blanks."""

# #REF!, #¿NOMBRE?, Err:502, and \N of SQL
_SPREADSHEET_ERROR = re.compile(r"#[¡¿]?(?:div/0|[^\W\d]+)[!?]|err:\d+|\\n")
_PUNCTUATION = re.compile(r"[-–—−.…?*_/\\\s]*")  # also the empty cell
_QUOTES_AND_BRACKETS = "'\"`<>()[]{}"
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")  # zero-width characters, left by spreadsheets


@lru_cache(maxsize=10_000)  # tables repeat few words
def is_missing(cell: str) -> bool:
    """Return whether a table cell means "not known", in any case, with blanks around it, quotes or brackets.

    A class or an image may have such a name: compare with the names that are expected first.

    Examples
    --------
    >>> [is_missing(cell) for cell in ("", "NA", "#N/A", "<NA>", "-nan", "Unknown", "--", "#REF!", "(null)")]
    [True, True, True, True, True, True, True, True, True]
    >>> [is_missing(cell) for cell in ("0", "trunk", "IL_0001", "N1", "no")]
    [False, False, False, False, False]
    """
    word = _INVISIBLE.sub("", cell).strip().strip(_QUOTES_AND_BRACKETS).strip().casefold()
    if _PUNCTUATION.fullmatch(word) or _SPREADSHEET_ERROR.fullmatch(word):
        return True
    return re.sub(r"\s+", "_", word).lstrip("+-") in NA_WORDS


_SENTINEL = re.compile(r"-(1|9+)(\.0+)?")  # -1: codes of pandas; -9, -99, -999: statistics packages


def is_missing_group(cell: str) -> bool:
    """Return whether the name of a lesion or patient means "not known": as `is_missing`, and -1, -9, -99, -999.

    Examples
    --------
    >>> [is_missing_group(cell) for cell in ("NA", "-1", "-1.0", "-999", "0", "-2", "L-1")]
    [True, True, True, True, False, False, False]
    """
    return is_missing(cell) or bool(_SENTINEL.fullmatch(cell.strip()))


OWN_GROUP_SUFFIX = " (image)"


def fill_missing_groups(groups: Iterable[str], ids: Iterable[str]) -> list[str]:
    """Return the group of each image, such as its lesion; an image whose group is not known is its own group.

    Its group is called as the image, followed by ``(image)`` if a known group has this name.

    Examples
    --------
    >>> fill_missing_groups(["L1", "NA", "", "3"], ["1", "2", "3", "4"])
    ['L1', '2', '3 (image)', '3']
    """
    names = list(groups)
    missing = {name for name in set(names) if is_missing_group(name)}
    known = set(names) - missing
    return [
        group if group not in missing else image + OWN_GROUP_SUFFIX if image in known else image
        for group, image in zip(names, ids, strict=True)
    ]


MAX_GROUP_SHARE = 0.05
MIN_QUESTIONED_IMAGES = 10


def oversized_groups(names: Iterable[str]) -> dict[str, int]:
    """Return groups with more than 5 % of the images and more than 10 images, such as a lesion called 0, by size.

    Parameters
    ----------
    names
        Group of each image, such as its lesion or patient; groups that are not known are "".

    Examples
    --------
    >>> oversized_groups(["0"] * 12 + ["L1", "L1", "L2"])
    {'0': 12}
    """
    counts = Counter(names)
    smallest = max(MIN_QUESTIONED_IMAGES, MAX_GROUP_SHARE * counts.total())
    return {name: count for name, count in counts.most_common() if name and count > smallest}
