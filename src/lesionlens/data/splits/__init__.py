"""Which image trains, which selects, which tests: every split by name. A split is a small CSV."""

from pathlib import Path

from lesionlens.data.splits.datta2021 import datta2021
from lesionlens.data.splits.file import from_file
from lesionlens.data.splits.gessert2019 import FOLDS, gessert2019
from lesionlens.data.splits.grouped import grouped
from lesionlens.data.splits.kfold import kfold, kfold_images
from lesionlens.data.splits.official import official
from lesionlens.data.splits.split import SelectOn, Split
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError, unknown

__all__ = ["NAMES", "SelectOn", "Split", "from_file", "grouped", "make_split", "official"]

NAMES = ("official", "grouped", "kfold", "kfold-images", "gessert2019", "datta2021")
_IN_FOLDS = ("kfold", "kfold-images", "gessert2019")


def make_split(
    table: LesionTable,
    *,
    name: str,
    validation: float,
    test: float,
    seed: int,
    folds: int | None = None,
    fold: int | None = None,
    validation_part: str = "validation",
    test_part: str = "test",
    select_on: SelectOn = "validation",
) -> Split:
    """Split a table by the name of a protocol, or by a file.

    Parameters
    ----------
    name
        One of ``NAMES``, or the path of a file with the columns ``image_id,part``.
    validation
        Share of the training images (of all, for ``grouped``) that validates, where the split names no such part.
    test
        Share that tests, for ``grouped`` and ``datta2021``.
    folds, fold
        Number of folds, and which it is, from 0: for ``kfold``, ``kfold-images`` and ``gessert2019`` (three).
    validation_part, test_part
        Names of the parts in a file; all others train.
    select_on
        ``test``: the test part validates as well, as in some published code. Numbers are then too good.

    Raises
    ------
    DataError
        The name is not known, a fold is not there, or the table does not fit the split.
    """
    folds, fold = _folds(name, folds, fold)
    match name:
        case "official":
            return official(table, validation=validation, seed=seed, select_on=select_on)
        case "grouped":
            return grouped(table, validation=validation, test=test, seed=seed, select_on=select_on)
        case "kfold" | "kfold-images":
            divide = kfold if name == "kfold" else kfold_images
            return divide(
                table, folds=folds, fold=fold, validation=validation, seed=seed, select_on=select_on
            )
        case "gessert2019":
            return gessert2019(table, fold=fold, select_on=select_on)
        case "datta2021":
            return datta2021(table, validation=validation, test=test, seed=seed, select_on=select_on)
    if not Path(name).suffix and not Path(name).exists():
        raise DataError(f"{unknown('split', name, NAMES)}, or the path of a CSV")
    return from_file(table, Path(name), validation=validation_part, test=test_part, select_on=select_on)


def _folds(name: str, folds: int | None, fold: int | None) -> tuple[int, int]:
    """Check the number of folds and the place of one; (0, 0) for a split without folds."""
    if name not in _IN_FOLDS:
        if folds is not None or fold is not None:
            raise DataError(
                f"data.split={name} has no folds; leave out folds and fold, or use {_either(_IN_FOLDS)}"
            )
        return 0, 0
    if name == "gessert2019":
        folds = FOLDS if folds is None else folds
        if folds != FOLDS:
            raise DataError(f"data.split=gessert2019 has {FOLDS} published folds, not {folds}")
    if folds is None or folds < 2:
        raise DataError(
            f"data.split={name} needs folds, 2 or more (folds=5, or --folds 5); it is {folds or 'not given'}"
        )
    if fold is None or not 0 <= fold < folds:
        raise DataError(
            f"data.split={name} needs fold, from 0 to {folds - 1} (fold=0, or --fold 0); it is "
            f"{'not given' if fold is None else fold}. In a recipe folds={folds} alone takes each in turn"
        )
    return folds, fold


def _either(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
