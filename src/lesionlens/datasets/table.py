"""The table that everything starts from: one row for each image, checked once, frozen."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
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
SPLITS = ("train", "validation", "test")


class _CopyOnAccess:
    """A field that keeps its own copy of a frame and hands out copies: the table cannot be changed."""

    def __get__(self, table: Any, owner: type) -> pd.DataFrame:
        if table is None:  # asked by @dataclass for a default: there is none
            raise AttributeError("frame")
        kept: pd.DataFrame = table.__dict__["_rows"]
        return kept.copy()

    def __set__(self, table: Any, frame: pd.DataFrame) -> None:
        table.__dict__["_rows"] = frame.reset_index(drop=True).copy()


@dataclass(frozen=True, eq=False)
class LesionTable:
    """One row for each image of a data set.

    Attributes
    ----------
    name
        The data set's name, as in ``DATASETS``.
    root
        Its folder (or the file of one's own table).
    frame
        Exactly ``TABLE_COLUMNS``; what is not known is ``""``, an unknown age NaN (years). ``lesion_id`` falls
        back to the image's id; ``feature_mask_paths`` are joined by ``;``; ``split`` is the official part or
        ``""``. Each access gives a copy.
    classes
        The classes of the data set in canonical order, whether or not each has an image; none where it has
        no diagnoses, which are then ``""``.
    warnings
        What the reader had to leave out or could not know, one line a kind.
    excluded
        Images and rows that are no part of the table, by id, with the reason.

    Raises
    ------
    DataError
        The rows do not keep these promises.
    """

    name: str
    root: Path
    frame: _CopyOnAccess = _CopyOnAccess()
    classes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    excluded: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for wrong in _violated_invariant(self._rows, self.classes):
            raise DataError(f"{self.name}:{self.root} is no valid table: {wrong}")

    @property
    def _rows(self) -> pd.DataFrame:
        rows: pd.DataFrame = self.__dict__["_rows"]
        return rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The images' files, row by row."""
        return tuple(map(Path, self._rows["path"]))

    @property
    def group_ids(self) -> npt.NDArray[np.object_]:
        """What must not be split, (n,): the patient where known, otherwise the lesion."""
        rows = self._rows
        known = rows["patient_id"] != ""
        # A patient told on one row of a lesion holds for its other rows.
        owner = dict(zip(rows["lesion_id"][known], rows["patient_id"][known], strict=True))
        groups = [f"patient:{owner[lesion]}" if lesion in owner else lesion for lesion in rows["lesion_id"]]
        return np.array(groups, dtype=object)

    def select(self, ids: Iterable[str]) -> "LesionTable":
        """Give the table of these images alone, in the order asked for.

        Raises
        ------
        DataError
            An id is not in the table, or is asked for twice.
        """
        wanted = list(ids)
        rows = self._rows.set_index("image_id", drop=False)
        strangers = sorted(set(wanted) - set(rows.index))
        if strangers:
            raise DataError(
                f"{len(strangers):,} of {len(wanted):,} images are not in {self.name}:{self.root}, "
                f"for example {', '.join(strangers[:5])}"
            )
        return replace(self, frame=rows.loc[wanted])

    def class_counts(self) -> dict[str, int]:
        """Give the number of images of each class; 0 for a class without any."""
        found = self._rows["diagnosis"].value_counts()
        return {name: int(found.get(name, 0)) for name in self.classes}

    def fingerprint(self) -> str:
        """Give 64 hexadecimal digits that change with ids, labels and how they were confirmed, lesions, parts or sizes.

        Sizes are of images and lesion masks; the order of rows does not count.

        Raises
        ------
        DataError
            A file has gone since the table was read.
        """
        columns = ["image_id", "diagnosis", "diagnosis_method", "lesion_id", "split", "path", "mask_path"]
        lines = [
            "\x1f".join([*text, str(_file_size(image)), str(_file_size(mask) if mask else "")])
            for *text, image, mask in self._rows[columns].itertuples(index=False)
        ]
        return hashlib.sha256("\x1e".join(sorted(lines)).encode()).hexdigest()


def _file_size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read any more: {error.strerror}. Load the table anew") from error


def _violated_invariant(rows: pd.DataFrame, classes: tuple[str, ...]) -> Iterable[str]:
    """Tell which promise the rows do not keep; the order matters, each check builds on those before."""
    if tuple(rows.columns) != TABLE_COLUMNS:
        yield f"columns {list(rows.columns)}, allowed are exactly {list(TABLE_COLUMNS)}"
    text = [name for name in TABLE_COLUMNS if name != "age"]
    if not all(isinstance(cell, str) for name in text for cell in rows[name]):
        yield 'text that is not known must be ""'
    if len(set(classes)) != len(classes):
        yield f"classes {list(classes)} name one twice"
    if (rows["image_id"] == "").any() or rows["image_id"].duplicated().any():
        yield "every row needs an image_id of its own"
    if (rows["lesion_id"] == "").any():
        yield "every row needs a lesion_id; where it is not known, the image_id"
    if not np.issubdtype(rows["age"].to_numpy().dtype, np.floating):
        yield "ages must be floating point, NaN where not known"
    for column, allowed in (("diagnosis", classes or ("",)), ("split", (*SPLITS, ""))):
        strangers = sorted(set(rows[column]) - set(allowed))
        if strangers:
            yield unknown_name_message(column, strangers[0], allowed)
