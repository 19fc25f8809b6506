"""Merge near-duplicates: photographs that show the same lesion under different ids stay in one split."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lesionlens.core.types import ProgressCallback
from lesionlens.datasets.audit.duplicates import Fingerprint, duplicate_pairs, fingerprints
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.table import LesionTable

NearDuplicates = Literal["separate", "merge"]


def merge_near_duplicates(table: LesionTable, *, progress: ProgressCallback | None = None) -> LesionTable:
    """Return a table in which lesions with duplicate or near-duplicate images are one lesion.

    It has the id of the first of them. Their patients, if several are known, are one patient as well, so that a split
    by lesion or patient keeps the images together. Images that cannot be read are not compared.

    Parameters
    ----------
    table
        Images with their lesions.
    progress
        Called with the number of images read and the total.

    Returns
    -------
    LesionTable
        The table with other lesion and patient ids, and a warning with the number of images concerned.
    """
    frame = table.frame
    results = fingerprints(table.paths, progress=progress)
    readable = [index for index, result in enumerate(results) if isinstance(result, Fingerprint)]
    pairs = duplicate_pairs([result for result in results if isinstance(result, Fingerprint)])
    copies = [(readable[pair.first], readable[pair.second]) for pair in pairs]
    lesions, patients = list(frame["lesion_id"]), list(frame["patient_id"])
    merged = _merge(lesions, [(lesions[a], lesions[b]) for a, b in copies])
    changed = len(
        {lesions[index] for index in range(len(lesions)) if merged[lesions[index]] != lesions[index]}
    )
    if not changed:
        return table
    frame["lesion_id"] = [merged[lesion] for lesion in lesions]
    known = frame.loc[frame["patient_id"] != "", ["lesion_id", "patient_id"]]
    same_lesion = zip(
        known["patient_id"], known.groupby("lesion_id")["patient_id"].transform("first"), strict=True
    )
    patient_of = _merge([name for name in patients if name], list(same_lesion)) | {"": ""}
    frame["patient_id"] = [patient_of[patient] for patient in patients]
    warning = (
        f"near-duplicates: {pluralize(changed, 'lesion')} merged into others, because their images are copies of "
        "theirs"
    )
    return replace(table, frame=frame, warnings=(*table.warnings, warning))


def _merge(names: Iterable[str], pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Map each name to the first one that pairs connect it with."""
    index = {name: number for number, name in enumerate(dict.fromkeys(names))}
    rows, columns = ([index[pair[side]] for pair in pairs] for side in (0, 1))
    shape = (len(index), len(index))
    _, component = connected_components(
        coo_array((np.ones(len(rows)), (rows, columns)), shape), directed=False
    )
    first: dict[int, str] = {}
    return {name: first.setdefault(int(component[number]), name) for name, number in index.items()}


def exclude_training_copies(table: LesionTable, splits: DatasetSplits) -> DatasetSplits:
    """Return splits without the validation and calibration images whose lesion is in the training split.

    Official splits can separate near-duplicates. Their test split stays complete, so that results are comparable; the
    audit of the run reports its leakage.

    Parameters
    ----------
    table
        Images with merged lesions.
    splits
        Splits of the table.
    """
    lesion_of = dict(zip(table.frame["image_id"], table.frame["lesion_id"], strict=True))
    trained = {lesion_of[image] for image in splits.splits.get("train", ())}
    copies = {
        name: [image for image in splits.splits.get(name, ()) if lesion_of[image] in trained]
        for name in ("validation", "calibration")
    }
    reason = "a duplicate or near-duplicate is in the training split"
    return replace(
        splits,
        splits={
            name: tuple(image for image in images if image not in copies.get(name, ()))
            for name, images in splits.splits.items()
        },
        excluded=(*splits.excluded, *((image, reason) for images in copies.values() for image in images)),
    )
