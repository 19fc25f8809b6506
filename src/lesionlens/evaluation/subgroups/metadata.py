"""Columns of metadata of images, from prediction files, tables of labels and other tables."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionlens.core.errors import PredictionsError, unknown_name_message
from lesionlens.core.missing import is_missing
from lesionlens.core.tabular import normalize_column_name, read_table
from lesionlens.datasets.image_ids import match_image_ids
from lesionlens.datasets.near_misses import describe_near_miss
from lesionlens.datasets.table_columns import COLUMN_NAMES, IMAGE_NAME_COLUMNS
from lesionlens.evaluation.score_table import SCORE_PREFIX

_NOT_GROUPS = frozenset({"image_id", "lesion_id", "patient_id", "path", "mask_path", "feature_mask_paths"})
"""Columns of a table that name images or files; they are not suggested."""


class MetadataTable(NamedTuple):
    """Metadata of images as text.

    Attributes
    ----------
    source
        File or dataset that the columns are from.
    columns
        A row for each evaluated image, in their order; "" if it is not known.
    """

    source: str
    columns: pd.DataFrame


def read_metadata_table(path: Path, image_ids: Sequence[str], *, optional: bool = False) -> MetadataTable:
    """Read the columns of a CSV or Parquet file, with a row for each of the images.

    Parameters
    ----------
    path
        File with a column of images, such as ``image_id`` or ``image``.
    image_ids
        Images of the rows.
    optional
        Whether a file without a column of images, such as the ground truth of ISBI 2016, is a table without columns.

    Raises
    ------
    DataError
        The file cannot be read.
    PredictionsError
        It has no column of images, names none of them, or has contradictory rows for one.
    """
    frame = read_table(path)
    names = {normalize_column_name(str(name)): str(name) for name in frame}
    image_column = next((names[name] for name in IMAGE_NAME_COLUMNS if name in names), "")
    if not image_column:
        if optional:
            return MetadataTable(str(path), pd.DataFrame(index=range(len(image_ids))))
        raise PredictionsError(
            f"{path} has no column image_id, so its rows belong to no image. Its columns: {', '.join(map(str, frame))}"
        )
    scores = [name for name in frame if str(name).casefold().startswith(SCORE_PREFIX)]
    return select_metadata_rows(
        frame.drop(columns=scores), frame[image_column].tolist(), image_ids, source=str(path)
    )


def select_metadata_rows(
    frame: pd.DataFrame, names: Sequence[str], image_ids: Sequence[str], *, source: str
) -> MetadataTable:
    """Return the rows of a frame of text that belong to the images, matched by name (see `match_image_ids`).

    Raises
    ------
    PredictionsError
        No row belongs to one of the images, or two rows of an image differ.
    """
    frame = frame.astype(str)
    frame.index = pd.Index(match_image_ids(names, image_ids))
    frame = frame[frame.index != ""]
    if frame.empty:
        near_miss = describe_near_miss(names, map(Path, image_ids))
        raise PredictionsError(
            f"{source} has no row for any of the {len(image_ids):,} images, for example {image_ids[0]}. {near_miss}"
            "Name images as in the predictions"
        )
    repeated = frame[frame.index.duplicated(keep=False)]
    for image_id, rows in repeated.groupby(level=0):
        differing = [str(name) for name in rows if rows[name].nunique() > 1]
        if differing:
            raise PredictionsError(
                f"{source} has two rows of image {image_id} that differ in {differing[0]}; remove one"
            )
    rows = frame[~frame.index.duplicated()].reindex(list(image_ids)).fillna("")
    return MetadataTable(source, rows.reset_index(drop=True))


def find_metadata_column(name: str, tables: Iterable[MetadataTable]) -> list[str] | None:
    """Return the cells of a column; each is from the first table that knows it. None if no table has the column.

    The name may be any usual one of the same content: ``age`` also finds ``age_approx``.
    """
    cells: list[str] | None = None
    for table in tables:
        column = _match_column(name, [str(column) for column in table.columns])
        if column:
            others = [str(cell) for cell in table.columns[column]]
            cells = [
                other if is_missing(cell) else cell
                for cell, other in zip(cells or others, others, strict=True)
            ]
    return cells


def _match_column(name: str, columns: Sequence[str]) -> str:
    """Return the column with a name, exactly, in another spelling, or with another name of its content."""
    if name in columns:
        return name
    by_name = {normalize_column_name(column): column for column in columns}
    requested = normalize_column_name(name)
    aliases = next((names for names in COLUMN_NAMES.values() if requested in names), ())
    return next((by_name[alias] for alias in (requested, *aliases) if alias in by_name), "")


def unknown_column_message(name: str, tables: Iterable[MetadataTable], measured: Iterable[str] = ()) -> str:
    """Return a message for a column that no table has, with the nearest name and all that exist."""
    columns = {
        str(column): normalize_column_name(str(column)) for table in tables for column in table.columns
    }
    available = [column for column, key in columns.items() if key not in _NOT_GROUPS]
    by_key = {normalize_column_name(column): column for column in available}
    aliases = {
        alias: by_key[key]
        for key in by_key
        for names in COLUMN_NAMES.values()
        if key in names
        for alias in names
    }
    near = get_close_matches(normalize_column_name(name), {**aliases, **by_key}, n=1)
    suggestion = {**aliases, **by_key}[near[0]] if near else ""
    message = unknown_name_message("column", name, [*available, *measured], suggestion=suggestion)
    return f"--by: {message}. Pass a table that has it: --metadata FILE"
