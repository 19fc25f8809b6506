"""Names that the columns of a user's table may have, and columns that state the same thing twice."""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import NamedTuple

import pandas as pd

from lesionlens.core.missing import is_missing
from lesionlens.core.taxonomy import canonical_or_raw
from lesionlens.imaging.formats import strip_image_suffix

# The first name is that of `LesionTable`; of several columns for one content, the first one in this order is used.
COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "image", "image_path", "file_path", "filename", "file_name", "image_name", "file"),
    "image_id": ("image_id", "isic_id", "id"),
    "diagnosis": ("diagnosis", "label", "dx"),
    "lesion_id": ("lesion_id", "lesion"),
    "patient_id": ("patient_id", "patient"),
    "diagnosis_method": ("diagnosis_method", "dx_type", "diagnosis_confirm_type"),
    "age": ("age", "age_approx", "age_approximate"),
    "sex": ("sex", "gender"),
    "site": ("site", "localization", "anatom_site_general"),
    "skin_tone": ("skin_tone",),
    "mask_path": ("mask_path", "mask"),
    "feature_mask_paths": ("feature_mask_paths",),
    "source": ("source",),
}
IMAGE_NAME_COLUMNS = ("image_id", "isic_id", *COLUMN_NAMES["path"], "id")
"""Names of the column of images in a file of labels or splits; of several, the first one in this order is used."""
_STRICT = ("path", "image", "diagnosis", "label", "dx")  # rows that differ are an error


def rename_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Rename the columns of a table to those of ``COLUMN_NAMES``; columns without a known name keep theirs.

    Of several columns for one content, only the first one is renamed. ``id`` names images only if no other column does.
    """
    renamed: dict[str, str] = {}
    for content, names in COLUMN_NAMES.items():
        present = [name for name in names if name in frame]
        if present and not (present == ["id"] and "path" in renamed.values()):
            renamed[present[0]] = content
    return frame.rename(columns=renamed)


def is_known_column(name: str) -> bool:
    """Return whether a column of this name would be used: an image, its label, its lesion or its split."""
    return name in ("split", "part") or any(name in names for names in COLUMN_NAMES.values())


class UnusedColumn(NamedTuple):
    """A column that states what another one states.

    Attributes
    ----------
    name, used
        The column, and the one that is used instead.
    differences
        Line and both cells of each row in which the two differ.
    is_error
        Whether a difference makes the table unusable.
    """

    name: str
    used: str
    differences: tuple[str, ...]
    is_error: bool


def unused_columns(frame: pd.DataFrame) -> Iterator[UnusedColumn]:
    """Yield the columns that state what another column of the table states, which is used instead."""
    for content, names in COLUMN_NAMES.items():
        used, *others = [name for name in names if name in frame and name != "id"] or [""]
        for name in others:
            differences = tuple(_differences(frame[used], frame[name], _NORMALIZERS.get(content, str)))
            yield UnusedColumn(name, used, differences, name in _STRICT and used in _STRICT)


def _file_stem(name: str) -> str:
    return strip_image_suffix(name.replace("\\", "/").rpartition("/")[2])


_NORMALIZERS: Mapping[str, Callable[[str], str]] = {"path": _file_stem, "diagnosis": canonical_or_raw}


def _differences(first: pd.Series, second: pd.Series, normalize: Callable[[str], str]) -> Iterator[str]:
    for line, (cell_a, cell_b) in enumerate(zip(first, second, strict=True), start=2):
        if cell_a == cell_b or is_missing(cell_a) or is_missing(cell_b):
            continue
        if normalize(cell_a).casefold() != normalize(cell_b).casefold():
            yield f"line {line}: {cell_a!r} and {cell_b!r}"


def misspelled_columns(frame: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield columns without a known name, each with a known one that is similar and not in the table."""
    known = {name for names in COLUMN_NAMES.values() for name in names}
    absent = [content for content, names in COLUMN_NAMES.items() if not set(names) & set(frame.columns)]
    for name in frame.columns:
        near = get_close_matches(name, absent, n=1, cutoff=0.8)
        if name not in known and near:
            yield name, near[0]
