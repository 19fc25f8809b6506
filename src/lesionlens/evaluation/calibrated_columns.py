"""Optional columns that a calibrated model adds to predictions: their values, and their cells in files.

The field ``calibrated_scores`` has one column ``calibrated_<class>`` per class; ``prediction_sets`` is the column
``prediction_set``, whose cells join the names of the classes by ``|``.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import PredictionsError
from lesionlens.core.missing import is_missing
from lesionlens.core.tabular import CSVColumns, format_floats, normalize_column_name, to_floats
from lesionlens.core.taxonomy import match_class
from lesionlens.core.types import BoolArray, FloatArray, StrArray

CALIBRATED_PREFIX = "calibrated_"
SCORE_TOLERANCE = 1e-6  # rounding errors of float32 softmax and of averages
CLASS_FIELDS = ("calibrated_scores", "prediction_sets")
"""Fields of one value per image and class, (n, k)."""
IMAGE_FIELDS = ("abstain", "ood_percentile")
"""Fields of one value per image, (n,)."""
OPTIONAL_FIELDS = (*CLASS_FIELDS, *IMAGE_FIELDS)

OptionalFields = dict[str, NDArray[Any]]
"""Values by the name of the field, without those that are not known."""

_SET_COLUMN, _ABSTAIN_COLUMN, _OOD_COLUMN = "prediction_set", "abstain", "ood_percentile"
_SEPARATOR = "|"
_SET_NAME = re.compile(r"(?:[^|\\]|\\.)+", re.DOTALL)  # a backslash precedes | and a backslash in a name
_SET_CELL = re.compile(rf"{_SET_NAME.pattern}(?:\|{_SET_NAME.pattern})*", re.DOTALL)
_TRUTH_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def optional_fields(predictions: object) -> OptionalFields:
    """Return the optional fields that predictions have."""
    values = {name: getattr(predictions, name) for name in OPTIONAL_FIELDS}
    return {name: value for name, value in values.items() if value is not None}


def check_optional_fields(fields: Mapping[str, Any], image_id: StrArray, n_classes: int) -> OptionalFields:
    """Return copies of optional fields with their types; calibrated scores are clipped as scores are.

    Raises
    ------
    PredictionsError
        A shape does not match, a calibrated score is not in [0, 1], a percentile is not in [0, 100] or NaN, or sets or
        abstentions are not truth values.
    """
    checked = {}
    for name, given in fields.items():
        values = np.array(given)
        shape = (len(image_id), n_classes) if name in CLASS_FIELDS else (len(image_id),)
        if values.shape != shape:
            raise PredictionsError(f"{name} has the shape {values.shape}; it must be {shape}")
        if name in ("prediction_sets", "abstain"):
            if values.dtype != np.bool_:
                raise PredictionsError(f"{name} has the type {values.dtype}; only true and false are allowed")
            checked[name] = values
        else:
            checked[name] = _check_numbers(name, values.astype(np.float64), image_id)
    return checked


def _check_numbers(name: str, values: FloatArray, image_id: StrArray) -> FloatArray:
    is_percentile = name == "ood_percentile"
    highest = 100 if is_percentile else 1
    wrong = ~((values >= -SCORE_TOLERANCE) & (values <= highest + SCORE_TOLERANCE))
    if is_percentile:
        wrong &= ~np.isnan(values)
    if wrong.any():
        index = tuple(np.argwhere(wrong)[0])
        raise PredictionsError(
            f"{wrong.sum()} values of {name} are not numbers from 0 to {highest}, the first one for image "
            f"{str(image_id[index[0]])!r}: {values[index]}"
        )
    return np.asarray(np.clip(values, 0, highest))


def concatenate_optional_fields(parts: Sequence[OptionalFields]) -> tuple[OptionalFields, tuple[str, ...]]:
    """Return the fields that all parts have, joined, and a caveat about fields that only some parts have."""
    common = [name for name in OPTIONAL_FIELDS if all(name in part for part in parts)]
    partial = [name for name in OPTIONAL_FIELDS if name not in common and any(name in part for part in parts)]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in common}
    if not partial:
        return joined, ()
    return joined, (f"Ignored, because only some of the joined predictions have them: {', '.join(partial)}.",)


def lost_fields_caveats(before: Sequence[OptionalFields], after: OptionalFields) -> tuple[str, ...]:
    """Return a caveat about fields per class that predictions had before they were reduced to a task, or joined."""
    lost = [name for name in CLASS_FIELDS if name not in after and any(name in part for part in before)]
    if not lost:
        return ()
    titles = " and the ".join(name.replace("_", " ") for name in lost)
    return (f"The {titles} are of other classes than the evaluated ones and are excluded.",)


def is_calibrated_column(name: str) -> bool:
    """Return whether a column of a file of predictions has one of the optional fields."""
    normalized = normalize_column_name(name)
    return bool(_class_of_column(name)) or normalized in (_SET_COLUMN, _ABSTAIN_COLUMN, _OOD_COLUMN)


def format_calibrated_columns(fields: Mapping[str, NDArray[Any]], classes: Sequence[str]) -> CSVColumns:
    """Return the columns of optional fields; a percentile that is not known is an empty cell."""
    columns: CSVColumns = {}
    if "calibrated_scores" in fields:
        for k, name in enumerate(classes):
            columns[CALIBRATED_PREFIX + name] = format_floats(fields["calibrated_scores"][:, k])
    if "prediction_sets" in fields:
        columns[_SET_COLUMN] = [format_prediction_set(row, classes) for row in fields["prediction_sets"]]
    if "abstain" in fields:
        columns[_ABSTAIN_COLUMN] = ["true" if value else "false" for value in fields["abstain"].tolist()]
    if "ood_percentile" in fields:
        cells = format_floats(fields["ood_percentile"])
        columns[_OOD_COLUMN] = ["" if cell == "nan" else cell for cell in cells]
    return columns


def parse_calibrated_columns(columns: CSVColumns, classes: Sequence[str], path: Path) -> OptionalFields:
    """Return the optional fields of a file.

    Parameters
    ----------
    columns
        Columns of the file; other columns are ignored.
    classes
        Classes that have scores in the file.
    path
        File, for messages.

    Raises
    ------
    PredictionsError
        Calibrated scores are missing for a class or belong to none, two columns have the same name, or a cell is not a
        number, a truth value or a set of these classes.
    """
    fields: OptionalFields = {}
    if calibrated := {name: _class_of_column(name) for name in columns if _class_of_column(name)}:
        fields["calibrated_scores"] = to_floats(columns, _columns_by_class(calibrated, classes, path), path)
    if name := _column_named(_SET_COLUMN, columns, path):
        fields["prediction_sets"] = _parse_sets(columns[name], classes, path)
    if name := _column_named(_ABSTAIN_COLUMN, columns, path):
        fields["abstain"] = _parse_truth_values(columns[name], name, path)
    if name := _column_named(_OOD_COLUMN, columns, path):
        cells = ["nan" if is_missing(cell) else cell for cell in columns[name]]
        fields["ood_percentile"] = to_floats({name: cells}, (name,), path, highest=100)[:, 0]
    return fields


def format_prediction_set(members: BoolArray, classes: Sequence[str]) -> str:
    r"""Return the names of the classes in a set, (k,), joined by ``|``; a backslash precedes ``|`` and ``\`` in a name.

    Examples
    --------
    >>> format_prediction_set(np.array([True, False, True]), ("melanoma", "nevus", "a|b"))
    'melanoma|a\\|b'
    """
    return _SEPARATOR.join(
        re.sub(r"([|\\])", r"\\\1", name)
        for name, is_member in zip(classes, members, strict=True)
        if is_member
    )


def _split_set(cell: str) -> list[str] | None:
    r"""Return the names in a cell of ``prediction_set``; None if a name is empty or the cell ends in the middle of one.

    Examples
    --------
    >>> _split_set("melanoma|a\\|b"), _split_set(""), _split_set("melanoma|"), _split_set("melanoma\\")
    (['melanoma', 'a|b'], [], None, None)
    """
    if not cell:
        return []
    if not _SET_CELL.fullmatch(cell):
        return None
    return [re.sub(r"\\(.)", r"\1", name, flags=re.DOTALL).strip() for name in _SET_NAME.findall(cell)]


def _parse_sets(cells: Sequence[str], classes: Sequence[str], path: Path) -> BoolArray:
    members = {cell: _parse_set(cell, classes) for cell in set(cells)}
    for row, cell in enumerate(cells, start=1):
        if members[cell] is None:
            raise PredictionsError(
                f"{path}, row {row}, column {_SET_COLUMN}: {cell!r} is not a set of the classes "
                f"{', '.join(classes)}; join their names by {_SEPARATOR}, or leave the cell empty for no class"
            )
    return np.array([members[cell] for cell in cells], dtype=np.bool_).reshape(len(cells), len(classes))


def _parse_set(cell: str, classes: Sequence[str]) -> list[bool] | None:
    """Return whether each class is in a set; None if the cell is damaged, or a name is not a class or occurs twice."""
    texts = _split_set(cell)
    if texts is None:
        return None
    names = [match_class(name, classes) for name in texts]
    is_valid = all(names) and len(set(names)) == len(names)
    return [name in names for name in classes] if is_valid else None


def _parse_truth_values(cells: Sequence[str], column: str, path: Path) -> BoolArray:
    for row, cell in enumerate(cells, start=1):
        if cell.casefold() not in _TRUTH_WORDS:
            raise PredictionsError(f"{path}, row {row}, column {column}: {cell!r} is neither true nor false")
    return np.array([_TRUTH_WORDS[cell.casefold()] for cell in cells], dtype=np.bool_)


def _class_of_column(name: str) -> str:
    """Return the class whose calibrated scores a column has, "" if it is not such a column."""
    has_prefix = name[: len(CALIBRATED_PREFIX)].casefold() == CALIBRATED_PREFIX
    return name[len(CALIBRATED_PREFIX) :].strip() if has_prefix else ""


def _columns_by_class(calibrated: Mapping[str, str], classes: Sequence[str], path: Path) -> tuple[str, ...]:
    """Return the column of each class."""
    by_class: dict[str, str] = {}
    for column, text in calibrated.items():
        name = match_class(text, classes)
        if not name:
            raise PredictionsError(
                f"{path}: {column} has calibrated scores of {text!r}, which has no scores in this file; rename or "
                "remove the column"
            )
        if (other := by_class.setdefault(name, column)) != column:
            raise PredictionsError(
                f"{path}: {other} and {column} are calibrated scores of one class; remove one of the columns"
            )
    if missing := [name for name in classes if name not in by_class]:
        raise PredictionsError(
            f"{path}: there are calibrated scores of {', '.join(by_class)}, but not of {', '.join(missing)}; add "
            f"{CALIBRATED_PREFIX}{missing[0]}, or remove all columns that begin with {CALIBRATED_PREFIX}"
        )
    return tuple(by_class[name] for name in classes)


def _column_named(name: str, columns: CSVColumns, path: Path) -> str:
    """Return the column of a name, in any case, with blanks or hyphens; "" if there is none."""
    present = [column for column in columns if normalize_column_name(column) == name]
    if len(present) > 1:
        raise PredictionsError(f"{path}: {' and '.join(present)} are the same column; remove one of them")
    return present[0] if present else ""
