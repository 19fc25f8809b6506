"""A reader's rows and the files that were found, joined and checked: the frame of a LesionTable."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lesionlens.data.layout import Found
from lesionlens.data.problems import Problems, counted
from lesionlens.data.sheet import is_missing
from lesionlens.data.table import COLUMNS

OLDEST = 120.0  # years; above this an age is a slip of the pen


@dataclass(frozen=True)
class Draft:
    """What a reader makes of a layout, before anything is checked.

    Attributes
    ----------
    rows
        Text columns named as in ``COLUMNS``, at least ``image_id`` and ``diagnosis`` (canonical; ``""`` where an
        error is noted, so that the row's image is looked for all the same).
    found
        The images, by id.
    classes
        The classes of the data set.
    masks
        Lesion masks by image id.
    strays
        Whether an image without a row is worth a warning.
    """

    rows: pd.DataFrame
    found: Found
    classes: tuple[str, ...]
    masks: Mapping[str, Path]
    strays: bool = True


def assemble(draft: Draft, problems: Problems, *, source: str) -> pd.DataFrame:
    """Join rows and files into a frame with exactly ``COLUMNS``, noting every problem on the way."""
    rows = _merged(draft.rows.assign(_order=range(len(draft.rows))), problems)
    rows = _with_files(rows, draft, problems)
    for name in COLUMNS:
        rows[name] = _known(rows[name]) if name in rows else ""
    rows["lesion_id"] = rows["lesion_id"].where(rows["lesion_id"] != "", rows["image_id"])
    rows["source"] = rows["source"].where(rows["source"] != "", source)
    rows["age"] = _ages(rows, problems)
    _check_lesions(rows, problems)
    _check_classes(rows, draft.classes, problems)
    text = {name: "str" for name in COLUMNS if name != "age"}
    return rows[list(COLUMNS)].astype(text).reset_index(drop=True)


def _merged(rows: pd.DataFrame, problems: Problems) -> pd.DataFrame:
    """Merge rows that are the same; rows that share an id but not their content are an error."""
    told = [name for name in rows if name != "_order"]
    repeats = rows[rows.duplicated("image_id", keep=False)]
    same = rows.duplicated(told)
    differing = repeats[~repeats.duplicated(told)].groupby("image_id").size().loc[lambda n: n > 1]
    problems.warn("rows that repeat another exactly", rows["image_id"][same], do="Each is used once.")
    problems.error(
        "ids with rows that differ", differing.index, do="Keep one row for each image, with its own id."
    )
    return rows[~rows.duplicated("image_id")].drop(columns="_order")


def _with_files(rows: pd.DataFrame, draft: Draft, problems: Problems) -> pd.DataFrame:
    """Add ``path`` and ``mask_path``; drop rows without an image."""
    images = draft.found.images
    here = rows["image_id"].isin(images.keys())
    if not here.any():
        problems.error(
            "no row has an image",
            [f"{counted(len(rows), 'row')}, {counted(len(images), 'image')}"],
            do=f"Looked in {draft.found.where()}. {_clash(rows, images)}Put the images there, as ID.jpg.",
        )
    else:
        problems.leave_out("rows without an image", rows["image_id"][~here], reason="its image is not there")
    if draft.strays:
        strays = sorted(set(images) - set(rows["image_id"]))
        problems.leave_out(
            "images without a row",
            strays,
            reason="no row, so no label",
            do="They have no label and are left out.",
        )
    rows = rows[here].copy()
    rows["path"] = [str(images[name]) for name in rows["image_id"]]
    if "mask_path" not in rows:
        rows["mask_path"] = [str(draft.masks.get(name, "")) for name in rows["image_id"]]
    return rows


def _clash(rows: pd.DataFrame, images: Mapping[str, Path]) -> str:
    if not images or rows.empty:
        return ""
    return f"A row is named {rows['image_id'].iloc[0]}, an image {next(iter(images.values())).name}. "


def _known(column: pd.Series) -> pd.Series:
    """Write ``""`` for whatever says that something is not known."""
    return column.map(lambda cell: "" if is_missing(str(cell)) else str(cell))


def _ages(rows: pd.DataFrame, problems: Problems) -> pd.Series:
    ages = pd.to_numeric(rows["age"].astype(object), errors="coerce").astype(np.float64)
    wrong = (rows["age"] != "") & ~((ages >= 0) & (ages <= OLDEST))
    shown = [f"{name} {age!r}" for name, age in rows.loc[wrong, ["image_id", "age"]].itertuples(index=False)]
    problems.warn("ages that cannot be", shown, do=f"Years from 0 to {OLDEST:.0f} count; set to not known.")
    return ages.mask(wrong)


def _check_lesions(rows: pd.DataFrame, problems: Problems) -> None:
    """One lesion has one diagnosis, one patient, and lies in one official part."""
    told, labelled = rows[rows["patient_id"] != ""], rows[rows["diagnosis"] != ""]
    for kind, some, column, do in (
        ("lesions with two diagnoses", labelled, "diagnosis", "Correct the labels, or the lesion_id."),
        ("lesions of two patients", told, "patient_id", "Correct the patient_id, or the lesion_id."),
    ):
        values = some.groupby("lesion_id")[column].agg(lambda cells: sorted(set(cells)))
        clashes = values[values.map(len) > 1]
        problems.error(kind, [f"{lesion}: {' and '.join(each)}" for lesion, each in clashes.items()], do=do)
    parts = rows.groupby("lesion_id")["part"].nunique()
    problems.warn(
        "lesions in two official parts", parts.index[parts > 1], do="Scores on the official parts leak."
    )


def _check_classes(rows: pd.DataFrame, classes: tuple[str, ...], problems: Problems) -> None:
    if not rows.empty:
        absent = [name for name in classes if name not in set(rows["diagnosis"])]
        problems.warn("classes without an image", absent, do="A model cannot learn them from this table.")
