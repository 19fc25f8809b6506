"""Names of splits in the files of users: which cells mean training, validation, calibration and test."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.core.missing import is_missing
from lesionlens.datasets.issues import pluralize

_SPELLINGS = {
    "train": "train training trained trn tr",
    "validation": "validation validate validating valid val va dev tuning tune",
    "calibration": "calibration calibrate calibrating calib cal conformal",
    "test": "test tests testing tested tst te holdout heldout",
}
_CANONICAL = {spelling: split for split, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_SUFFIX = re.compile(r"(sub)?(set|split|part|partition|data|dataset|images|sample|samples)$")
_SPLIT_COLUMNS = ("split", "part")
_UNUSED_SPLIT_COLUMNS = re.compile(
    r"(is_?)?(train|training|val|valid|validation|test|testing|holdout)|((cv|k)_?)?folds?(_?(id|no|number|\d+))?|cv"
)
_MAX_SPLIT_NAMES = 12  # different cells of a column of splits, such as ten folds
_MAX_LISTED = 10  # unknown names in a message


def canonical_split_name(name: str) -> str:
    """Return ``train``, ``validation``, ``calibration`` or ``test`` for any usual spelling of it, otherwise ``""``.

    Examples
    --------
    >>> [canonical_split_name(name) for name in ("Training", "val", "test_set", "Hold-out", "external validation")]
    ['train', 'validation', 'test', 'test', '']
    """
    letters = re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold())
    return _CANONICAL.get(letters) or _CANONICAL.get(_SUFFIX.sub("", letters), "")


class SplitNames(NamedTuple):
    """Names of the splits in a file; a default means all usual spellings of its split.

    Attributes
    ----------
    train
        Names of the training splits, such as two of three folds.
    validation, test
        Names of the validation and the test split. The calibration split has its usual spellings only.
    """

    train: tuple[str, ...] = ("train",)
    validation: str = "validation"
    test: str = "test"

    @classmethod
    def from_options(cls, train: Sequence[str] | None, validation: str, test: str) -> "SplitNames":
        """Return the names that command-line options state; None: the default."""
        return cls(tuple(train or cls().train), validation, test)

    def split_of(self, name: str) -> str:
        """Return the split that a name in the file means, ``""`` if it means none or more than one.

        Examples
        --------
        >>> folds = SplitNames(train=("cv1",), validation="cv0")
        >>> [folds.split_of(name) for name in ("cv0", "CV1", "Test", "cv2", "train")]
        ['validation', 'train', 'test', '', '']
        """
        options = [(option, "train") for option in self.train]
        options += [(self.validation, "validation"), (self.test, "test"), ("calibration", "calibration")]
        for is_same in (_is_equal, _is_equal_in_any_case, _is_same_spelling):
            if splits := {split for option, split in options if is_same(option, name)}:
                return splits.pop() if len(splits) == 1 else ""
        return ""


def _is_equal(option: str, name: str) -> bool:
    return option == name


def _is_equal_in_any_case(option: str, name: str) -> bool:
    return option.strip().casefold() == name.strip().casefold()


def _is_same_spelling(option: str, name: str) -> bool:
    return canonical_split_name(option) == canonical_split_name(name) != ""


def assign_splits(cells: Sequence[str], names: SplitNames, source: str) -> list[str]:
    """Return the split of each cell.

    Raises
    ------
    DataError
        A cell is none of the names, since no image may train because its split is unknown; or one name is given for two
        splits.
    """
    options = (*names.train, names.validation, names.test, "calibration")
    if repeated := [name for name, times in Counter(options).items() if times > 1]:
        raise DataError(f"{repeated[0]!r} is given as the name of two splits; name each split differently")
    split_by_name = {cell: names.split_of(cell) for cell in dict.fromkeys(cells)}
    if unknown := [cell for cell, split in split_by_name.items() if not split]:
        raise DataError(_unknown_names_message(unknown, cells, names, source))
    return [split_by_name[cell] for cell in cells]


def _unknown_names_message(
    unknown: Sequence[str], cells: Iterable[str], names: SplitNames, source: str
) -> str:
    counts = Counter(cells)
    listed = ", ".join(f"{name!r} ({pluralize(counts[name], 'image')})" for name in unknown[:_MAX_LISTED])
    more = f" and {len(unknown) - _MAX_LISTED} more" if len(unknown) > _MAX_LISTED else ""
    return (
        f"{source} has names that are no split: {listed}{more}. Training is {_format_names(names.train)}, validation "
        f"is {names.validation!r} and test is {names.test!r}. Rename them, or state which split they are: "
        "data.train_split_names=[a,b], data.val_split_name=c and data.test_split_name=d in a recipe, "
        "--train-split-name a, --val-split-name c and --test-split-name d with the commands of data"
    )


def _format_names(names: Sequence[str]) -> str:
    return " or ".join(map(repr, names)) or "nothing"


def use_split_column(frame: pd.DataFrame) -> pd.DataFrame:
    """Rename the column of splits to ``split``: ``part``, or any column that contains only names of splits.

    Raises
    ------
    DataError
        Two columns assign different splits to a row.
    """
    by_content = [name for name in frame.columns if _contains_splits(frame[name])]
    candidates = dict.fromkeys(
        name for name in (*_SPLIT_COLUMNS[:1], *by_content, *_SPLIT_COLUMNS[1:]) if name in frame
    )
    if not candidates:
        return frame
    column, *others = candidates
    for other in others:
        _check_same_splits(frame, column, other)
    return frame if column == "split" else frame.rename(columns={column: "split"})


def _contains_splits(column: pd.Series) -> bool:
    """Return whether all known cells are spellings of splits, with training and another one among them."""
    splits: set[str] = set()
    for cell in column.unique():
        if not is_missing(cell):
            splits.add(canonical_split_name(cell))
            if "" in splits:
                return False
    return "train" in splits and len(splits) > 1


def looks_like_splits(column: pd.Series) -> bool:
    """Return whether a column assigns splits that are not understood: by its name, or by cells that mean training.

    Examples
    --------
    >>> looks_like_splits(pd.Series(["0", "1"], name="kfold"))
    True
    >>> looks_like_splits(pd.Series(["Training", "PublicTest", "PrivateTest"], name="usage"))
    True
    >>> looks_like_splits(pd.Series(["dermatoscope", "microscope"], name="device"))
    False
    """
    if _UNUSED_SPLIT_COLUMNS.fullmatch(str(column.name)):
        return True
    cells = column.unique()
    return len(cells) <= _MAX_SPLIT_NAMES and any(canonical_split_name(cell) == "train" for cell in cells)


def _check_same_splits(frame: pd.DataFrame, column: str, other: str) -> None:
    first, second = (frame[name].map(canonical_split_name) for name in (column, other))
    differ = (first != second) & (first != "") & (second != "")
    if differ.any():
        row = int(differ.to_numpy().argmax())
        raise DataError(
            f"the columns {column} and {other} assign different splits to {pluralize(int(differ.sum()), 'row')}, for "
            f"example {frame[column].iloc[row]!r} and {frame[other].iloc[row]!r} in line {row + 2}; remove one column"
        )
