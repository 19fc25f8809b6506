"""Images of other data sets that join the training part, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from lesionlens.data.duplicates import Fingerprint, Progress, duplicates, fingerprints
from lesionlens.data.problems import counted
from lesionlens.data.splits import Split
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError, unknown


@dataclass(frozen=True)
class Extended:
    """A table with extra rows at its end, and its split with their images in the training part.

    Attributes
    ----------
    left_out
        Extra images that did not join, each with the reason.
    """

    table: LesionTable
    split: Split
    left_out: tuple[tuple[str, str], ...]


def add_extra(
    table: LesionTable, split: Split, extras: Sequence[LesionTable], *, progress: Progress | None = None
) -> Extended:
    """Let the images of other tables train too (Zhang et al. 2019, section IV.A, add 1,320 of the ISIC Archive).

    Left out is an extra image that has the id of another image, shows a lesion (or a patient) by whose id the
    validation or test part is known, is no usable image, or is a copy, to the byte or nearly, of an image of any part,
    or of an earlier extra.

    Parameters
    ----------
    progress
        Called with images read and images in all.

    Raises
    ------
    DataError
        A class of the extras is not in the table, or an image of the table cannot be read.
    """
    _check_classes(table, extras)
    known = table.frame
    rows = pd.concat([each.frame for each in extras], ignore_index=True) if extras else known.iloc[:0]
    reasons = _by_id(rows, table, split)
    rest = rows.loc[[place for place in rows.index if place not in reasons]]
    reasons |= _by_picture(known, rest, progress)
    joining = rows.loc[[place for place in rows.index if place not in reasons]]
    joining = joining.assign(part="train" if (known["part"] != "").any() else "")
    left_out = tuple((str(rows["image_id"][place]), reasons[place]) for place in sorted(reasons))
    told = tuple(f"{each.name}:{each.root}: {warning}" for each in extras for warning in each.warnings)
    frame = pd.concat([known, joining], ignore_index=True)
    return Extended(
        replace(table, frame=frame, warnings=(*table.warnings, *told)),
        _joined(split, joining, extras, left_out),
        left_out,
    )


def _check_classes(table: LesionTable, extras: Sequence[LesionTable]) -> None:
    for extra in extras:
        strangers = sorted(set(extra.frame["diagnosis"]) - set(table.classes))
        if strangers:
            raise DataError(
                f"extra images of {extra.name}:{extra.root}: {unknown('class', strangers[0], table.classes)}"
            )


def _by_id(rows: pd.DataFrame, table: LesionTable, split: Split) -> dict[int, str]:
    """Find the rows that their ids exclude."""
    known = table.frame
    held = set(split.parts.get("validation", ())) | set(split.parts.get("test", ()))
    tested = known[known["image_id"].isin(held)]
    lesions = set(tested["lesion_id"])
    patients = set(tested["patient_id"]) - {""}
    seen = set(known["image_id"])
    reasons: dict[int, str] = {}
    for place, image, lesion, patient in rows[["image_id", "lesion_id", "patient_id"]].itertuples():
        if image in seen:
            reasons[place] = f"another image has the id {image}"
        elif lesion in lesions:
            reasons[place] = f"shows lesion {lesion}, which is in the validation or test part"
        elif patient in patients:
            reasons[place] = f"is of patient {patient}, who is in the validation or test part"
        else:
            seen.add(image)
    return reasons


def _by_picture(known: pd.DataFrame, rows: pd.DataFrame, progress: Progress | None) -> dict[int, str]:
    """Find the rows whose picture is there already, or cannot be read; comparing needs every image."""
    if rows.empty:
        return {}
    both = pd.concat([known, rows])
    found = fingerprints([Path(path) for path in both["path"]], progress=progress)
    for place, text in enumerate(found[: len(known)]):
        if isinstance(text, str):
            raise DataError(
                f"{text}. Image {known['image_id'].iloc[place]} cannot be compared with the extra ones"
            )
    reasons = {
        rows.index[place]: f"cannot be read: {text}"
        for place, text in enumerate(found[len(known) :])
        if isinstance(text, str)
    }
    usable = [place for place, each in enumerate(found) if isinstance(each, Fingerprint)]
    prints = [each for each in found if isinstance(each, Fingerprint)]
    for pair in duplicates(prints, besides=len(known)):
        place, other = usable[pair.second] - len(known), both["image_id"].iloc[usable[pair.first]]
        how = "the same file as" if pair.kind == "exact" else f"nearly a copy ({pair.likeness:.2f}) of"
        reasons.setdefault(rows.index[place], f"{how} {other}")
    return reasons


def _joined(
    split: Split, joining: pd.DataFrame, extras: Sequence[LesionTable], left_out: tuple[tuple[str, str], ...]
) -> Split:
    names = ", ".join(each.name for each in extras)
    extra = f"{counted(len(joining), 'extra image')} of {names} train" if extras else ""
    return replace(
        split,
        parts={**split.parts, "train": (*split.parts["train"], *joining["image_id"])},
        how="; ".join(filter(None, [split.how, extra])),
        left_out=(*split.left_out, *left_out),
    )
