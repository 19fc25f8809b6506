"""Immutable table of a dataset, with one row per image, validated on creation."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lesionlens.core.errors import DataError, unknown_name_message

TABLE_COLUMNS = (
    "image_id",
    "path",
    "diagnosis",
    "lesion_id",
    "patient_id",
    "diagnosis_method",
    "age",
    "sex",
    "site",
    "skin_tone",
    "mask_path",
    "feature_mask_paths",
    "source",
    "split",
)
SPLITS = ("train", "validation", "calibration", "test")


class _CopyOnAccess:
    """Descriptor that stores a copy of a frame and returns copies, so that the table cannot be changed."""

    def __get__(self, table: Any, owner: type) -> pd.DataFrame:
        if table is None:  # @dataclass looks for a default value: there is none
            raise AttributeError("frame")
        rows: pd.DataFrame = table.__dict__["_rows"]
        return rows.copy()

    def __set__(self, table: Any, frame: pd.DataFrame) -> None:
        table.__dict__["_rows"] = frame.reset_index(drop=True).copy()


@dataclass(frozen=True, eq=False)
class LesionTable:
    """Images of a dataset with labels and metadata, one row per image.

    Attributes
    ----------
    name
        Name of the dataset, as in ``DATASETS``.
    root
        Directory of the dataset, or file of a custom table.
    frame
        Rows with exactly the columns ``TABLE_COLUMNS``. Unknown text is ``""`` and an unknown age (in years) NaN.
        ``lesion_id`` defaults to the image ID, ``feature_mask_paths`` are joined by ``;``, and ``split`` is the
        official split or ``""``. Each access returns a copy.
    classes
        Classes of the dataset in canonical order, including those without an image; empty for a dataset without
        diagnoses, whose rows have ``""``.
    warnings
        Issues that the reader found, one line per kind.
    excluded
        Images and rows that are not in the table: pairs of ID and reason.
    skipped
        Number of files of each kind in its folders that were not read.

    Raises
    ------
    DataError
        The rows violate these rules.
    """

    name: str
    root: Path
    frame: _CopyOnAccess = _CopyOnAccess()
    classes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    excluded: tuple[tuple[str, str], ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for violation in _violated_invariants(self._rows, self.classes):
            raise DataError(f"{self.name}:{self.root} is not a valid table: {violation}")

    @property
    def _rows(self) -> pd.DataFrame:
        rows: pd.DataFrame = self.__dict__["_rows"]
        return rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Image file of each row."""
        return tuple(map(Path, self._rows["path"]))

    @property
    def group_ids(self) -> npt.NDArray[np.object_]:
        """Group of each row whose images must stay in one split, (n,): the patient if known, otherwise the lesion."""
        rows = self._rows
        known = rows["patient_id"] != ""
        # A patient ID on one row of a lesion applies to the other rows of the lesion.
        patients = dict(zip(rows["lesion_id"][known], rows["patient_id"][known], strict=True))
        groups = [
            f"patient:{patients[lesion]}" if lesion in patients else _lesion_group(lesion)
            for lesion in rows["lesion_id"]
        ]
        return np.array(groups, dtype=object)

    def select(self, ids: Iterable[str]) -> "LesionTable":
        """Return the table of the given images, in the given order.

        Raises
        ------
        DataError
            An ID is not in the table, or is repeated.
        """
        selected = list(ids)
        rows = self._rows.set_index("image_id", drop=False)
        unknown = sorted(set(selected) - set(rows.index))
        if unknown:
            raise DataError(
                f"{len(unknown):,} of {len(selected):,} images are not in {self.name}:{self.root}, "
                f"for example {', '.join(unknown[:5])}"
            )
        return replace(self, frame=rows.loc[selected])

    def class_counts(self) -> dict[str, int]:
        """Return the number of images of each class, including classes without an image."""
        counts = self._rows["diagnosis"].value_counts()
        return {name: int(counts.get(name, 0)) for name in self.classes}

    def fingerprint(self) -> str:
        """Return a SHA-256 of the table that does not depend on the order of its rows.

        It covers image IDs, labels and how they were confirmed, lesions, splits, and the sizes of the image and lesion
        mask files in bytes.

        Raises
        ------
        DataError
            A file was removed since the table was read.
        """
        columns = ["image_id", "diagnosis", "diagnosis_method", "lesion_id", "split", "path", "mask_path"]
        lines = [
            "\x1f".join([*text, str(_file_size(image)), str(_file_size(mask) if mask else "")])
            for *text, image, mask in self._rows[columns].itertuples(index=False)
        ]
        return hashlib.sha256("\x1e".join(sorted(lines)).encode()).hexdigest()


def conflicting_values(rows: pd.DataFrame, key: str, column: str) -> dict[str, list[str]]:
    """Return the sorted values of a column by key, for keys with several values; ``""`` is none."""
    pairs = rows.loc[rows[column] != "", [key, column]].drop_duplicates()
    conflicts = pairs[pairs.duplicated(key, keep=False)]
    return {str(name): sorted(values) for name, values in conflicts.groupby(key)[column]}


def _lesion_group(lesion: str) -> str:
    """Return the group of a lesion: its ID, unless that could be mistaken for the group of a patient."""
    return f"lesion:{lesion}" if lesion.startswith(("patient:", "lesion:")) else lesion


def _file_size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError as error:
        raise DataError(f"{path} can no longer be read: {error.strerror}. Load the table again") from error


def _is_text(column: "pd.Series[Any]") -> bool:
    if isinstance(column.dtype, pd.StringDtype):
        return not column.isna().any()
    return all(isinstance(cell, str) for cell in column)


def _violated_invariants(rows: pd.DataFrame, classes: tuple[str, ...]) -> Iterable[str]:
    """Yield a message for each violated rule; the order matters, as each check relies on the previous ones."""
    if tuple(rows.columns) != TABLE_COLUMNS:
        yield f"columns {list(rows.columns)}, allowed are exactly {list(TABLE_COLUMNS)}"
    if not all(_is_text(rows[name]) for name in TABLE_COLUMNS if name != "age"):
        yield 'unknown text must be ""'
    if len(set(classes)) != len(classes):
        yield f"classes {list(classes)} contain a duplicate"
    if (rows["image_id"] == "").any() or rows["image_id"].duplicated().any():
        yield "every row needs a unique image_id"
    if (rows["lesion_id"] == "").any():
        yield "every row needs a lesion_id; if it is unknown, use the image_id"
    if not np.issubdtype(rows["age"].to_numpy().dtype, np.floating):
        yield "ages must be floating point, NaN if unknown"
    for column, allowed in (("diagnosis", (*classes, "")), ("split", (*SPLITS, ""))):
        unknown = sorted(set(rows[column]) - set(allowed))
        if unknown:
            yield unknown_name_message(column, unknown[0], allowed)
