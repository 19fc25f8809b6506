"""Look through data sets for what makes numbers too good: shared lesions, copies, conflicting labels, shortcuts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionlens.data.audit.copies import DuplicateFinding, find_duplicates, duplicate_findings
from lesionlens.data.audit.finding import Finding, drop_empty
from lesionlens.data.audit.placed import concat_with_split
from lesionlens.data.audit.shortcuts import Shortcut, find_shortcuts
from lesionlens.data.duplicates import ProgressCallback
from lesionlens.data.images import read_header
from lesionlens.data.problems import pluralize
from lesionlens.data.splits import DatasetSplits
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError, ImageError

_METADATA_COLUMNS = ("diagnosis_method", "site", "age", "sex", "source")


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes
    ----------
    sources
        Data sets and their numbers of images.
    split_description
        How the parts were made; ``""`` for the official ones.
    findings
        Leaks first, then conflicts, then notes.
    duplicates
        Every pair of files that show the same photograph.
    shortcuts
        What single columns tell of the class, the strongest first.
    """

    sources: tuple[tuple[str, int], ...]
    split_description: str
    findings: tuple[Finding, ...]
    duplicates: tuple[DuplicateFinding, ...]
    shortcuts: tuple[Shortcut, ...]


def audit_tables(
    tables: Sequence[LesionTable], splits: DatasetSplits | None = None, *, progress: ProgressCallback | None = None
) -> Audit:
    """Audit tables, together and across one another; every image is read.

    Parameters
    ----------
    splits
        Of the first table; without one its official parts count.
    progress
        Called with images read and images in all.

    Raises
    ------
    DataError
        There is no table.
    """
    if not tables:
        raise DataError("there is nothing to audit; give a data set, for example ham10000:FOLDER")
    rows = concat_with_split(tables, splits)
    groups = np.concatenate([table.group_ids for table in tables]).astype(str)
    pairs, unreadable = find_duplicates(rows, progress)
    found = [*_id_findings(rows, groups), *duplicate_findings(pairs)]
    found += drop_empty([("files that are missing or cannot be read", "conflict", unreadable)])
    told = find_shortcuts(_collect_columns(rows), rows["diagnosis"].to_numpy(dtype=str), groups)
    said = [f"{table.name}: {line}" for table in tables for line in table.warnings]
    found += drop_empty([("remarks of the reader", "note", said)])
    strong = [
        f"{each.column}: balanced accuracy {each.balanced_accuracy:.2f}, chance {each.chance:.2f}"
        for each in told
        if each.is_strong
    ]
    found += drop_empty([("columns that alone tell much of the class", "note", strong)])
    order = ("leak", "conflict", "note")
    return Audit(
        tuple((str(name), int(count)) for name, count in rows["set"].value_counts(sort=False).items()),
        splits.description if splits else "",
        tuple(sorted(found, key=lambda each: order.index(each.severity))),
        pairs,
        told,
    )


def _id_findings(rows: pd.DataFrame, groups: NDArray[np.str_]) -> list[Finding]:
    """Find what ids alone tell."""
    rows = rows.assign(group=groups)
    # Where no lesion is told, its id is the image's; but a told one may have the id of one of its images.
    told = rows["lesion_id"].isin(set(rows["lesion_id"][rows["lesion_id"] != rows["image_id"]]))
    apart = rows[told]
    owned = rows[rows["patient_id"] != ""]
    lone = rows["set"][~told].value_counts(sort=False)
    unknown = [f"{name}: {_own_lesion_phrase(int(count))}" for name, count in lone.items()]
    return drop_empty(
        [
            ("lesions in more than one part", "leak", _conflicting_values(apart, "lesion_id", "part")),
            ("patients in more than one part", "leak", _conflicting_values(owned, "patient_id", "part")),
            ("lesions in more than one data set", "leak", _conflicting_values(apart, "lesion_id", "set")),
            ("image ids in more than one data set", "leak", _conflicting_values(rows, "image_id", "set")),
            ("lesions with more than one label", "conflict", _conflicting_values(apart, "lesion_id", "diagnosis")),
            ("data sets with images whose lesion is not known", "note", unknown),
        ]
    )


def _own_lesion_phrase(count: int) -> str:
    return f"{pluralize(count, 'image')}, {'' if count == 1 else 'each '}taken for a lesion of its own"


def _conflicting_values(rows: pd.DataFrame, key: str, column: str) -> list[str]:
    """Say which keys have several values of a column (``""`` is none)."""
    known = rows[rows[column] != ""]
    values = known.groupby(key)[column].agg(lambda cells: sorted(set(cells)))
    return [f"{name}: {', '.join(each)}" for name, each in values.items() if len(each) > 1]


def _collect_columns(rows: pd.DataFrame) -> dict[str, NDArray[np.str_]]:
    """Give what is known of each image beside its picture."""
    columns = {name: rows[name].astype(str).to_numpy(dtype=str) for name in _METADATA_COLUMNS}
    headers = [_size_and_format(Path(path)) for path in rows["path"]]
    columns["image size"] = np.array([size for size, _ in headers])
    columns["file format"] = np.array([kind for _, kind in headers])
    return columns


def _size_and_format(path: Path) -> tuple[str, str]:
    try:
        header = read_header(path)
    except ImageError:
        return "", ""
    return f"{header.width} × {header.height}", header.format
