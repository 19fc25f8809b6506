"""Splits by name or from a CSV file."""

from pathlib import Path
from typing import Any

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.datasets.split_names import SplitNames
from lesionlens.datasets.splits.base import CheckpointSplit, DatasetSplits
from lesionlens.datasets.splits.from_file import splits_from_csv
from lesionlens.datasets.splits.published import GESSERT2019_NUM_FOLDS, datta2021, gessert2019
from lesionlens.datasets.splits.strategies import (
    choose_strategy,
    group_holdout,
    group_kfold,
    image_kfold,
    official_splits,
)
from lesionlens.datasets.table import LesionTable

SPLIT_NAMES = ("auto", "official", "group_holdout", "group_kfold", "image_kfold", "gessert2019", "datta2021")
_FOLD_STRATEGIES = ("group_kfold", "image_kfold", "gessert2019")


def make_splits(
    table: LesionTable,
    *,
    name: str,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    n_folds: int | None = None,
    fold: int | None = None,
    split_names: SplitNames | None = None,
    checkpoint_split: CheckpointSplit = "validation",
) -> DatasetSplits:
    """Split a table by a named strategy or a file.

    Parameters
    ----------
    name
        One of ``SPLIT_NAMES``, or the path of a CSV file with the columns ``image_id,split``. ``auto``: the official
        splits of the table if it has any, otherwise ``group_holdout``.
    val_fraction
        Fraction of the training images (of all images for ``group_holdout``) held out for validation, if the strategy
        has no validation split.
    test_fraction
        Fraction held out for testing, for ``group_holdout`` and ``datta2021``.
    seed
        Random seed of the hold-outs and folds.
    n_folds, fold
        Number of folds and index of the fold, from 0, for ``group_kfold``, ``image_kfold`` and ``gessert2019`` (three
        folds).
    split_names
        Names of the splits in a file; default: the usual spellings of train, validation and test.
    checkpoint_split
        ``test``: the test split selects the checkpoint, as in some published code. Results are then optimistically
        biased.

    Raises
    ------
    DataError
        The name or the fold is unknown, or the strategy does not apply to the table.
    """
    name = choose_strategy(table) if name == "auto" else name
    n_folds, fold = _check_folds(name, n_folds, fold)
    common: dict[str, Any] = {"checkpoint_split": checkpoint_split}
    held_out = common | {"val_fraction": val_fraction, "seed": seed}
    match name:
        case "official":
            return official_splits(table, **held_out)
        case "group_holdout":
            return group_holdout(table, test_fraction=test_fraction, **held_out)
        case "group_kfold":
            return group_kfold(table, n_folds=n_folds, fold=fold, **held_out)
        case "image_kfold":
            return image_kfold(table, n_folds=n_folds, fold=fold, **held_out)
        case "gessert2019":
            return gessert2019(table, fold=fold, **common)
        case "datta2021":
            return datta2021(table, test_fraction=test_fraction, **held_out)
    if not Path(name).suffix and not Path(name).exists():
        raise DataError(f"{unknown_name_message('split', name, SPLIT_NAMES)}, or the path of a CSV file")
    return splits_from_csv(table, Path(name), split_names or SplitNames(), **common)


def _check_folds(name: str, n_folds: int | None, fold: int | None) -> tuple[int, int]:
    """Validate and return the number of folds and the fold index; (0, 0) for a strategy without folds."""
    if name not in _FOLD_STRATEGIES:
        if n_folds is not None or fold is not None:
            raise DataError(
                f"data.split={name} has no folds; remove n_folds and fold, or use "
                f"{_format_options(_FOLD_STRATEGIES)}"
            )
        return 0, 0
    if name == "gessert2019":
        n_folds = GESSERT2019_NUM_FOLDS if n_folds is None else n_folds
        if n_folds != GESSERT2019_NUM_FOLDS:
            raise DataError(
                f"data.split=gessert2019 has {GESSERT2019_NUM_FOLDS} published folds, not {n_folds}"
            )
    if n_folds is None or n_folds < 2:
        raise DataError(
            f"data.split={name} needs n_folds, 2 or more (n_folds=5, or --folds 5); it is {n_folds or 'not set'}"
        )
    if fold is None or not 0 <= fold < n_folds:
        raise DataError(
            f"data.split={name} needs fold, from 0 to {n_folds - 1} (fold=0, or --fold 0); it is "
            f"{'not set' if fold is None else fold}. A recipe with n_folds={n_folds} and no fold trains on each in turn"
        )
    return n_folds, fold


def _format_options(options: tuple[str, ...]) -> str:
    return f"{', '.join(options[:-1])} or {options[-1]}"
