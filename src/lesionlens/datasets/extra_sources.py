"""Add images of other datasets to the training split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.datasets.audit.duplicates import Fingerprint, duplicate_pairs, fingerprints
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.table import LesionTable

OFFICIAL_TEST_IMAGE = "in the official test split of its dataset, which never trains"


@dataclass(frozen=True)
class ExtendedTable:
    """A table with extra rows at its end, and splits with the extra images in the training split.

    Attributes
    ----------
    table
        The table with the extra rows.
    splits
        The splits with the extra images.
    excluded
        Extra images that were not added: pairs of image ID and reason.
    """

    table: LesionTable
    splits: DatasetSplits
    excluded: tuple[tuple[str, str], ...]


def add_extra_training_images(
    table: LesionTable,
    splits: DatasetSplits,
    extras: Sequence[LesionTable],
) -> ExtendedTable:
    """Add the images of other tables to the training split.

    Zhang et al. 2019, section IV.A, add 1,320 images of the ISIC Archive: 466 melanomas, 822 nevi and 32 seborrheic
    keratoses. Their list is not published; the description of the splits has the counts of the images added here.

    An extra image is excluded if it is in the official test split of its dataset, has the ID of another image, has the
    lesion or patient ID of a validation or test image, cannot be read, or is an exact or near duplicate of an image of
    any split or of an earlier extra image.

    Parameters
    ----------
    table, splits
        Table to extend, and its splits.
    extras
        Tables whose images are added.

    Raises
    ------
    DataError
        A class of the extras is not in the table, or an image of the table cannot be read.
    """
    _check_classes(table, extras)
    base = table.frame
    rows = pd.concat([extra.frame for extra in extras], ignore_index=True) if extras else base.iloc[:0]
    reasons = _excluded_by_id(rows, table, splits)
    reasons |= _duplicates_by_content(base, rows.drop(index=list(reasons)))
    added = rows.drop(index=list(reasons)).assign(split="train" if (base["split"] != "").any() else "")
    excluded = tuple((str(rows["image_id"][row]), reasons[row]) for row in sorted(reasons))
    warnings = tuple(
        f"{extra.name}:{extra.root}: {warning}" for extra in extras for warning in extra.warnings
    )
    frame = pd.concat([base, added], ignore_index=True)
    return ExtendedTable(
        replace(table, frame=frame, warnings=(*table.warnings, *warnings)),
        _extend_splits(splits, added, extras, excluded),
        excluded,
    )


def _check_classes(table: LesionTable, extras: Sequence[LesionTable]) -> None:
    for extra in extras:
        unexpected = sorted(set(extra.frame["diagnosis"]) - set(table.classes))
        if unexpected:
            raise DataError(
                f"extra images of {extra.name}:{extra.root}: "
                f"{unknown_name_message('class', unexpected[0], table.classes)}"
            )


def _excluded_by_id(rows: pd.DataFrame, table: LesionTable, splits: DatasetSplits) -> dict[int, str]:
    """Return the reason for each row whose image, lesion or patient ID rules it out."""
    base = table.frame
    held_out_ids = {image for name, ids in splits.splits.items() if name != "train" for image in ids}
    held_out = base[base["image_id"].isin(held_out_ids)]
    lesions = set(held_out["lesion_id"])
    patients = set(held_out["patient_id"]) - {""}
    image_ids = set(base["image_id"])
    reasons: dict[int, str] = {}
    for row, image, lesion, patient, official in rows[
        ["image_id", "lesion_id", "patient_id", "split"]
    ].itertuples():
        if official == "test":
            reasons[row] = OFFICIAL_TEST_IMAGE
        elif image in image_ids:
            reasons[row] = f"another image has the id {image}"
        elif lesion in lesions:
            reasons[row] = f"shows lesion {lesion}, which is in the validation, calibration or test split"
        elif patient in patients:
            reasons[row] = f"is of patient {patient}, who is in the validation, calibration or test split"
        else:
            image_ids.add(image)
    return reasons


def _duplicates_by_content(base: pd.DataFrame, rows: pd.DataFrame) -> dict[int, str]:
    """Return the reason for each row whose image is a duplicate or cannot be read; every image must be decoded."""
    if rows.empty:
        return {}
    combined = pd.concat([base, rows])
    results = fingerprints([Path(path) for path in combined["path"]])
    for image_id, result in zip(base["image_id"], results, strict=False):
        if isinstance(result, str):
            raise DataError(f"{result}. Image {image_id} cannot be compared with the extra images")
    reasons = {
        row: f"cannot be read: {result}"
        for row, result in zip(rows.index, results[len(base) :], strict=True)
        if isinstance(result, str)
    }
    usable = [index for index, result in enumerate(results) if isinstance(result, Fingerprint)]
    prints = [result for result in results if isinstance(result, Fingerprint)]
    for pair in duplicate_pairs(prints, exclude=len(base)):
        row = rows.index[usable[pair.second] - len(base)]
        original = combined["image_id"].iloc[usable[pair.first]]
        kind = "the same file as" if pair.kind == "exact" else f"a near-duplicate ({pair.similarity:.2f}) of"
        reasons.setdefault(row, f"{kind} {original}")
    return reasons


def _extend_splits(
    splits: DatasetSplits,
    added: pd.DataFrame,
    extras: Sequence[LesionTable],
    excluded: tuple[tuple[str, str], ...],
) -> DatasetSplits:
    names = ", ".join(extra.name for extra in extras)
    counts = {str(name): int(count) for name, count in added["diagnosis"].value_counts().items()}
    classes = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    number = pluralize(len(added), "extra image") + (f" ({classes})" if classes else "")
    extra = f"{number} of {names} in the training split" if extras else ""
    return replace(
        splits,
        splits={**splits.splits, "train": (*splits.splits["train"], *added["image_id"])},
        description="; ".join(filter(None, [splits.description, extra])),
        excluded=(*splits.excluded, *excluded),
        extra_train=counts,
    )
