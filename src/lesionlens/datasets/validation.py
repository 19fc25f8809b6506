"""A reader's rows and the files that were found, joined and checked: the frame of a LesionTable."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lesionlens.core.errors import DataError, ImageError
from lesionlens.core.prefetch import prefetch
from lesionlens.core.tabular import is_missing
from lesionlens.datasets.file_layout import ImageIndex
from lesionlens.datasets.issues import IssueCollector, pluralize
from lesionlens.datasets.table import TABLE_COLUMNS
from lesionlens.imaging.decode import read_header, read_rgb
from lesionlens.imaging.masks import load_mask
from lesionlens.imaging.superpixels import union_of_features

MAX_AGE = 120.0  # years; above this an age is a slip of the pen


@dataclass(frozen=True)
class RawTable:
    """What a reader makes of a layout, before anything is checked.

    Attributes
    ----------
    rows
        Text columns named as in ``TABLE_COLUMNS``, at least ``image_id`` and ``diagnosis`` (canonical; ``""`` where an
        error is noted, so that the row's image is looked for all the same).
    image_index
        The images, by id.
    classes
        The classes of the data set.
    mask_paths
        Lesion masks by image id.
    warn_unlabeled_images
        Whether an image without a row is worth a warning.
    """

    rows: pd.DataFrame
    image_index: ImageIndex
    classes: tuple[str, ...]
    mask_paths: Mapping[str, Path]
    warn_unlabeled_images: bool = True


def build_table_frame(raw_table: RawTable, issues: IssueCollector, *, source: str) -> pd.DataFrame:
    """Join rows and files into a frame with exactly ``TABLE_COLUMNS``, noting every problem on the way."""
    rows = _merge_duplicate_rows(raw_table.rows.assign(_order=range(len(raw_table.rows))), issues)
    rows = _add_file_paths(rows, raw_table, issues)
    for name in TABLE_COLUMNS:
        rows[name] = _blank_missing(rows[name]) if name in rows else ""
    rows["lesion_id"] = rows["lesion_id"].where(rows["lesion_id"] != "", rows["image_id"])
    rows["source"] = rows["source"].where(rows["source"] != "", source)
    rows["age"] = _parse_ages(rows, issues)
    _check_lesions(rows, issues)
    _check_classes(rows, raw_table.classes, issues)
    text = {name: "str" for name in TABLE_COLUMNS if name != "age"}
    return rows[list(TABLE_COLUMNS)].astype(text).reset_index(drop=True)


def _merge_duplicate_rows(rows: pd.DataFrame, issues: IssueCollector) -> pd.DataFrame:
    """Merge rows that are the same; rows that share an id but not their content are an error."""
    told = [name for name in rows if name != "_order"]
    repeats = rows[rows.duplicated("image_id", keep=False)]
    same = rows.duplicated(told)
    differing = repeats[~repeats.duplicated(told)].groupby("image_id").size().loc[lambda n: n > 1]
    issues.add_warning("rows that repeat another exactly", rows["image_id"][same], hint="Each is used once.")
    issues.add_error(
        "ids with rows that differ", differing.index, hint="Keep one row for each image, with its own id."
    )
    return rows[~rows.duplicated("image_id")].drop(columns="_order")


def _add_file_paths(rows: pd.DataFrame, raw_table: RawTable, issues: IssueCollector) -> pd.DataFrame:
    """Add ``path`` and ``mask_path``; drop rows without an image."""
    images = raw_table.image_index.images
    here = rows["image_id"].isin(images.keys())
    if not here.any():
        issues.add_error(
            "no row has an image",
            [f"{pluralize(len(rows), 'row')}, {pluralize(len(images), 'image')}"],
            hint=f"Looked in {raw_table.image_index.describe_searched()}. {_naming_hint(rows, images)}"
            "Put the images there, as ID.jpg.",
        )
    else:
        issues.exclude("rows without an image", rows["image_id"][~here], reason="its image is not there")
    if raw_table.warn_unlabeled_images:
        strays = sorted(set(images) - set(rows["image_id"]))
        issues.exclude(
            "images without a row",
            strays,
            reason="no row, so no label",
            hint="They have no label and are left out.",
        )
    rows = rows[here].copy()
    rows["path"] = [str(images[name]) for name in rows["image_id"]]
    if "mask_path" not in rows:
        rows["mask_path"] = [str(raw_table.mask_paths.get(name, "")) for name in rows["image_id"]]
    return rows


def _naming_hint(rows: pd.DataFrame, images: Mapping[str, Path]) -> str:
    if not images or rows.empty:
        return ""
    return f"A row is named {rows['image_id'].iloc[0]}, an image {next(iter(images.values())).name}. "


def _blank_missing(column: pd.Series) -> pd.Series:
    """Write ``""`` for whatever says that something is not known."""
    return column.map(lambda cell: "" if is_missing(str(cell)) else str(cell))


def _parse_ages(rows: pd.DataFrame, issues: IssueCollector) -> pd.Series:
    ages = pd.to_numeric(rows["age"].astype(object), errors="coerce").astype(np.float64)
    wrong = (rows["age"] != "") & ~((ages >= 0) & (ages <= MAX_AGE))
    shown = [f"{name} {age!r}" for name, age in rows.loc[wrong, ["image_id", "age"]].itertuples(index=False)]
    issues.add_warning(
        "ages that cannot be", shown, hint=f"Years from 0 to {MAX_AGE:.0f} count; set to not known."
    )
    return ages.mask(wrong)


def _check_lesions(rows: pd.DataFrame, issues: IssueCollector) -> None:
    """One lesion has one diagnosis, one patient, and lies in one official part."""
    told, labelled = rows[rows["patient_id"] != ""], rows[rows["diagnosis"] != ""]
    for kind, some, column, do in (
        ("lesions with two diagnoses", labelled, "diagnosis", "Correct the labels, or the lesion_id."),
        ("lesions of two patients", told, "patient_id", "Correct the patient_id, or the lesion_id."),
    ):
        values = some.groupby("lesion_id")[column].agg(lambda cells: sorted(set(cells)))
        clashes = values[values.map(len) > 1]
        issues.add_error(
            kind, [f"{lesion}: {' and '.join(each)}" for lesion, each in clashes.items()], hint=do
        )
    parts = rows.groupby("lesion_id")["split"].nunique()
    issues.add_warning(
        "lesions in two official parts", parts.index[parts > 1], hint="Scores on the official parts leak."
    )


def _check_classes(rows: pd.DataFrame, classes: tuple[str, ...], issues: IssueCollector) -> None:
    if not rows.empty:
        absent = [name for name in classes if name not in set(rows["diagnosis"])]
        issues.add_warning(
            "classes without an image", absent, hint="A model cannot learn them from this table."
        )


class UnusableFiles(NamedTuple):
    """The reasons, one for each image and each mask that cannot be used."""

    images: tuple[str, ...]
    masks: tuple[str, ...]


def find_unusable_files(frame: pd.DataFrame, *, verify_images: bool) -> UnusableFiles:
    """Open every image; with ``verify_images`` read all of it, and its masks, which must have its proportions.

    Parameters
    ----------
    frame
        ``path``, ``mask_path`` and ``feature_mask_paths`` of each image.
    verify_images
        Rather than read the images' headers only.
    """
    rows = frame[["path", "mask_path", "feature_mask_paths"]].itertuples(index=False, name=None)
    if verify_images:
        found = list(prefetch(_decode_errors, rows))
    else:
        found = [(reason, ()) for reason in prefetch(_header_error, frame["path"])]
    images = tuple(reason for reason, _ in found if reason)
    return UnusableFiles(images, tuple(reason for _, reasons in found for reason in reasons))


def _header_error(path: str) -> str:
    try:
        read_header(Path(path))
    except ImageError as error:
        return str(error)
    return ""


def _decode_errors(row: tuple[str, str, str]) -> tuple[str, tuple[str, ...]]:
    try:
        # A small target lets JPEGs be decoded scaled: every byte is still read.
        image = read_rgb(Path(row[0]), max_short_side=64)
    except ImageError as error:
        return str(error), ()
    return "", tuple(_size_mismatches(image, *row))


def _size_mismatches(
    image: npt.NDArray[np.uint8], path: str, mask_path: str, feature_mask_paths: str
) -> Iterator[str]:
    shape = (image.shape[0], image.shape[1])
    try:
        if mask_path:
            load_mask(Path(mask_path), shape, image_path=path)
    except DataError as error:
        yield str(error)
    try:
        union_of_features(feature_mask_paths, shape)
    except DataError as error:
        yield str(error)
