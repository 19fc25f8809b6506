"""Names that almost match: why no image is found for a row although its file is there."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath


def _without_leading_zeros(name: str) -> str:
    return re.sub(r"\d+", lambda digits: str(int(digits[0])) if len(digits[0]) < 30 else digits[0], name)


_NORMALIZATIONS: tuple[tuple[Callable[[str], str], str], ...] = (
    (lambda name: unicodedata.normalize("NFC", name), "The names differ in the encoding of accents."),
    (str.casefold, "The names differ in upper and lower case."),
    (_without_leading_zeros, "Leading zeros may have been lost in a spreadsheet."),
    (lambda name: re.sub(r"\.0+$", "", name), "A spreadsheet may have written the numbers as decimals."),
    (lambda name: re.sub(r"[\W_]+", "", name), "The names differ in punctuation or spaces."),
)

_CONVERSIONS = (
    (re.compile(r"\d([.,]\d+)?E\+\d+"), "scientific notation"),
    (re.compile(r"\d{1,2}[-. ][A-Z][a-z]{2}(\.|[-. ]\d{2,4})?"), "a date"),
)


def describe_near_miss(names: Iterable[str], files: Iterable[Path]) -> str:
    """Return sentences that name a row and a file which almost match, and how they differ; ``""`` if none does.

    Parameters
    ----------
    names
        Image IDs or names of rows without a file.
    files
        Image files that belong to no row.

    Examples
    --------
    >>> describe_near_miss(["1", "2"], [Path("x/0001.jpg")])
    'A row is named 1, an image 0001.jpg. Leading zeros may have been lost in a spreadsheet. '
    >>> describe_near_miss(["a"], [Path("b.jpg")])
    ''
    """
    stems = {path.stem: path.name for path in files}
    rows = {PurePosixPath(name).name: name for name in names}
    if shared := rows.keys() & stems.keys():
        first = min(shared)
        return f"A row is named {rows[first]}, an image {stems[first]}. The folders differ. "
    keys_of_files, keys_of_rows = {stem: stem for stem in stems}, {name: name for name in rows}
    for normalize, reason in _NORMALIZATIONS:  # each acts on the keys of the previous ones
        keys_of_files = {normalize(key): stem for key, stem in keys_of_files.items()}
        keys_of_rows = {normalize(key): name for key, name in keys_of_rows.items()}
        if matches := keys_of_files.keys() & keys_of_rows.keys() - {""}:
            first = min(matches)
            row, image = keys_of_rows[first], stems[keys_of_files[first]]
            return f"A row is named {row}, an image {image}. {reason} "
    return _describe_conversion(rows.values())


def _describe_conversion(names: Iterable[str]) -> str:
    """Return sentences for a name that a spreadsheet has made a number in scientific notation or a date."""
    for pattern, reason in _CONVERSIONS:
        if converted := next((name for name in names if pattern.fullmatch(name)), ""):
            return f"A row is named {converted}: a spreadsheet has converted a name to {reason}. "
    return ""
