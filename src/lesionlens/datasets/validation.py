"""Join the rows of a reader with the files of a dataset, and check them: the frame of a ``LesionTable``."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lesionlens.core.errors import shorten
from lesionlens.core.missing import is_missing, is_missing_group, oversized_groups
from lesionlens.core.tabular import is_readable_back
from lesionlens.datasets.file_layout import ImageIndex, check_alternatives
from lesionlens.datasets.folder_walk import MASK_FOLDERS, OUTPUT_FOLDERS, describe_skipped
from lesionlens.datasets.issues import IssueCollector, pluralize
from lesionlens.datasets.near_misses import describe_near_miss
from lesionlens.datasets.table import TABLE_COLUMNS, conflicting_values
from lesionlens.imaging.formats import other_format_of_name

MAX_AGE = 120.0  # years; a higher age is a typing error
_EXACT_COLUMNS = ("image_id", "path", "diagnosis", "mask_path", "feature_mask_paths")  # may be called NA


@dataclass(frozen=True)
class RawTable:
    """Rows and files that a reader found, before validation.

    Attributes
    ----------
    rows
        Text columns named as in ``TABLE_COLUMNS``, at least ``image_id`` and ``diagnosis`` (canonical; ``""`` if the
        label is an error, so that a missing image is reported as well).
    image_index
        Image files by ID.
    classes
        Classes of the dataset.
    mask_paths
        Lesion mask files by image ID.
    warn_unlabeled_images
        Whether to warn about images without a row.
    labels_required
        Whether contradictory labels make the table unusable; otherwise they are a warning.
    """

    rows: pd.DataFrame
    image_index: ImageIndex
    classes: tuple[str, ...]
    mask_paths: Mapping[str, Path]
    warn_unlabeled_images: bool = True
    labels_required: bool = True


def build_table_frame(raw_table: RawTable, issues: IssueCollector, *, source: str) -> pd.DataFrame:
    """Join rows and files into a frame with exactly the columns ``TABLE_COLUMNS``, and collect all issues.

    ``source`` is the value of the column of that name for rows without one.
    """
    rows = _merge_duplicate_rows(raw_table.rows.assign(_order=range(len(raw_table.rows))), issues)
    rows = _add_file_paths(rows, raw_table, issues)
    for name in TABLE_COLUMNS:
        if name not in rows:
            rows[name] = ""
        elif name not in _EXACT_COLUMNS:
            rows[name] = _blank_missing(rows[name], is_group=name in ("lesion_id", "patient_id"))
    _report_large_groups(rows, issues)
    _check_ids(rows, issues)
    rows["lesion_id"] = rows["lesion_id"].where(rows["lesion_id"] != "", rows["image_id"])
    rows["source"] = rows["source"].where(rows["source"] != "", source)
    rows["age"] = _parse_ages(rows, issues)
    _check_lesions(rows, issues, labels_required=raw_table.labels_required)
    _check_classes(rows, raw_table.classes, issues)
    text = {name: "str" for name in TABLE_COLUMNS if name != "age"}
    return rows[list(TABLE_COLUMNS)].astype(text).reset_index(drop=True)


def _merge_duplicate_rows(rows: pd.DataFrame, issues: IssueCollector) -> pd.DataFrame:
    """Merge identical rows; different rows with the same image ID are an error."""
    columns = [name for name in rows if name != "_order"]
    repeated = rows[rows.duplicated("image_id", keep=False)]
    identical = rows.duplicated(columns)
    conflicting = repeated[~repeated.duplicated(columns)].groupby("image_id").size().loc[lambda n: n > 1]
    issues.add_warning("duplicate rows", rows["image_id"][identical], hint="Each is used once.")
    issues.add_error(
        "ids with conflicting rows", conflicting.index, hint="Keep one row per image, with a unique id."
    )
    return rows[~rows.duplicated("image_id")].drop(columns="_order")


def _add_file_paths(rows: pd.DataFrame, raw_table: RawTable, issues: IssueCollector) -> pd.DataFrame:
    """Add the columns ``path`` and ``mask_path``, and remove rows without an image."""
    index = raw_table.image_index
    images = index.images
    has_image = rows["image_id"].isin(images.keys())
    _report_missing_images(rows["image_id"], has_image, index, issues)
    unlabeled = sorted(set(images) - set(rows["image_id"]))
    if raw_table.warn_unlabeled_images:
        issues.exclude(
            "images without a row",
            unlabeled,
            reason="no row, so no label",
            hint="They have no label and are excluded.",
        )
    rows = rows[has_image].copy()
    check_alternatives(index, rows["image_id"], issues)
    rows["path"] = [str(images[name]) for name in rows["image_id"]]
    issues.add_warning(
        "files of two rows",
        rows["path"][rows["path"].duplicated()],
        hint="Each row counts as another image; keep one row per file.",
    )
    if "mask_path" not in rows:
        rows["mask_path"] = [str(raw_table.mask_paths.get(name, "")) for name in rows["image_id"]]
    masks = rows["mask_path"][rows["mask_path"] != ""]
    issues.add_warning("masks of two rows", masks[masks.duplicated()], hint="Correct the wrong row of each.")
    return rows


def _report_missing_images(
    ids: pd.Series, has_image: pd.Series, index: ImageIndex, issues: IssueCollector
) -> None:
    """Report rows without an image, with the name of an image that almost matches one of them."""
    known = set(ids)
    files = (*(path for name, path in index.images.items() if name not in known), *index.unmatched)
    missing = ids[~has_image]
    near_miss = describe_near_miss(missing, files)
    skipped = Counter({kind: count for kind, count in index.skipped.items() if other_format_of_name(kind)})
    others = describe_skipped(skipped)
    not_read = f"Files that are not read: {others}; convert them to PNG or JPEG. " if others else ""
    folders = Counter({kind: index.skipped.get(kind, 0) for kind in (OUTPUT_FOLDERS, MASK_FOLDERS)})
    if unsearched := describe_skipped(+folders):
        not_read += f"Not searched: {unsearched}. "
    if has_image.any():
        hint = f"{near_miss}{not_read}They are excluded."
        issues.exclude("rows without an image", missing, reason="its image is missing", hint=hint)
        return
    issues.add_error(
        "no row has an image",
        [f"{pluralize(len(ids), 'row')}, {pluralize(len(files), 'image')}"],
        hint=f"Searched {index.describe_searched()}. {not_read}"
        + (f"{near_miss}Correct the names in the table." if near_miss else _naming_example(ids, files)),
    )


def _naming_example(ids: pd.Series, files: Sequence[Path]) -> str:
    example = (
        f"A row is named {shorten(ids.iloc[0])}, an image {files[0].name}. " if files and len(ids) else ""
    )
    return f"{example}Put the images there, as ID.jpg."


def _blank_missing(column: pd.Series, *, is_group: bool) -> pd.Series:
    """Replace every word for "not known" by ``""``."""
    is_unknown = is_missing_group if is_group else is_missing
    return column.map(lambda cell: "" if is_unknown(str(cell)) else str(cell))


def _parse_ages(rows: pd.DataFrame, issues: IssueCollector) -> pd.Series:
    ages = pd.to_numeric(rows["age"].astype(object), errors="coerce").astype(np.float64)
    invalid = (rows["age"] != "") & ~((ages >= 0) & (ages <= MAX_AGE))
    cases = [
        f"{name} {age!r}" for name, age in rows.loc[invalid, ["image_id", "age"]].itertuples(index=False)
    ]
    issues.add_warning(
        "invalid ages", cases, hint=f"Allowed: 0 to {MAX_AGE:.0f} years. They are set to unknown."
    )
    return ages.mask(invalid)


def _report_large_groups(rows: pd.DataFrame, issues: IssueCollector) -> None:
    """Warn about a lesion or patient with so many images that its name may mean "not known"."""
    for column in ("lesion_id", "patient_id"):
        sizes = oversized_groups(rows[column])
        issues.add_warning(
            f"values of {column} with many images",
            [f"{name!r}: {count:,} of {len(rows):,} images" for name, count in sizes.items()],
            hint="Splits keep them together. If it means unknown, leave the cell empty.",
        )


def _check_ids(rows: pd.DataFrame, issues: IssueCollector) -> None:
    """Check that IDs can be written into a table and read back."""
    for column in ("image_id", "lesion_id", "patient_id"):
        invalid = [name for name in rows[column].unique() if not is_readable_back(name)]
        issues.add_error(
            f"values of {column} with control characters or blanks at the ends",
            map(repr, invalid),
            hint="Rename them.",
        )


def _check_lesions(rows: pd.DataFrame, issues: IssueCollector, *, labels_required: bool) -> None:
    """Check that each lesion has one diagnosis and one patient, and is in one official split."""
    for kind, column, hint in (
        ("lesions with two diagnoses", "diagnosis", "Correct the labels or the lesion_id."),
        ("lesions of two patients", "patient_id", "Correct the patient_id or the lesion_id."),
    ):
        cases = [
            f"{lesion}: {' and '.join(names)}"
            for lesion, names in conflicting_values(rows, "lesion_id", column).items()
        ]
        is_error = labels_required or column != "diagnosis"
        (issues.add_error if is_error else issues.add_warning)(kind, cases, hint=hint)
    num_splits = rows.groupby("lesion_id")["split"].nunique()
    issues.add_warning(
        "lesions in two official splits",
        num_splits.index[num_splits > 1],
        hint="Results on the official splits are subject to data leakage.",
    )


def _check_classes(rows: pd.DataFrame, classes: tuple[str, ...], issues: IssueCollector) -> None:
    if not rows.empty:
        present = set(rows["diagnosis"])
        missing = [name for name in classes if name not in present]
        issues.add_warning(
            "classes without an image", missing, hint="A model cannot learn them from this table."
        )
