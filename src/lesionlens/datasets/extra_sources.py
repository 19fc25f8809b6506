"""Images of other data sets that join the training part, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.core.types import ProgressCallback
from lesionlens.datasets.audit.duplicates import Fingerprint, duplicate_pairs, fingerprints
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.table import LesionTable


@dataclass(frozen=True)
class ExtendedTable:
    """A table with extra rows at its end, and its split with their images in the training part.

    Attributes
    ----------
    excluded
        Extra images that did not join, each with the reason.
    """

    table: LesionTable
    splits: DatasetSplits
    excluded: tuple[tuple[str, str], ...]


def add_extra_training_images(
    table: LesionTable,
    splits: DatasetSplits,
    extras: Sequence[LesionTable],
    *,
    progress: ProgressCallback | None = None,
) -> ExtendedTable:
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
    reasons = _excluded_by_id(rows, table, splits)
    rest = rows.loc[[place for place in rows.index if place not in reasons]]
    reasons |= _duplicates_by_content(known, rest, progress)
    joining = rows.loc[[place for place in rows.index if place not in reasons]]
    joining = joining.assign(split="train" if (known["split"] != "").any() else "")
    left_out = tuple((str(rows["image_id"][place]), reasons[place]) for place in sorted(reasons))
    told = tuple(f"{each.name}:{each.root}: {warning}" for each in extras for warning in each.warnings)
    frame = pd.concat([known, joining], ignore_index=True)
    return ExtendedTable(
        replace(table, frame=frame, warnings=(*table.warnings, *told)),
        _extend_splits(splits, joining, extras, left_out),
        left_out,
    )


def _check_classes(table: LesionTable, extras: Sequence[LesionTable]) -> None:
    for extra in extras:
        strangers = sorted(set(extra.frame["diagnosis"]) - set(table.classes))
        if strangers:
            raise DataError(
                f"extra images of {extra.name}:{extra.root}: "
                f"{unknown_name_message('class', strangers[0], table.classes)}"
            )


def _excluded_by_id(rows: pd.DataFrame, table: LesionTable, splits: DatasetSplits) -> dict[int, str]:
    """Find the rows that their ids exclude."""
    known = table.frame
    held = set(splits.splits.get("validation", ())) | set(splits.splits.get("test", ()))
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


def _duplicates_by_content(
    known: pd.DataFrame, rows: pd.DataFrame, progress: ProgressCallback | None
) -> dict[int, str]:
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
    for pair in duplicate_pairs(prints, exclude=len(known)):
        place, other = usable[pair.second] - len(known), both["image_id"].iloc[usable[pair.first]]
        how = "the same file as" if pair.kind == "exact" else f"nearly a copy ({pair.similarity:.2f}) of"
        reasons.setdefault(rows.index[place], f"{how} {other}")
    return reasons


def _extend_splits(
    splits: DatasetSplits,
    added: pd.DataFrame,
    extras: Sequence[LesionTable],
    excluded: tuple[tuple[str, str], ...],
) -> DatasetSplits:
    names = ", ".join(each.name for each in extras)
    extra = f"{pluralize(len(added), 'extra image')} of {names} train" if extras else ""
    return replace(
        splits,
        splits={**splits.splits, "train": (*splits.splits["train"], *added["image_id"])},
        description="; ".join(filter(None, [splits.description, extra])),
        excluded=(*splits.excluded, *excluded),
    )
