"""Look through data sets for what makes numbers too good: shared lesions, copies, conflicting labels, shortcuts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionlens.data.audit.copies import Copy, copies, copy_findings
from lesionlens.data.audit.finding import Finding, findings
from lesionlens.data.audit.placed import placed
from lesionlens.data.audit.shortcuts import Shortcut, shortcuts
from lesionlens.data.duplicates import Progress
from lesionlens.data.images import probe
from lesionlens.data.problems import counted
from lesionlens.data.splits import Split
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError, ImageError

_TOLD = ("diagnosis_method", "site", "age", "sex", "source")


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes
    ----------
    sources
        Data sets and their numbers of images.
    split
        How the parts were made; ``""`` for the official ones.
    findings
        Leaks first, then conflicts, then notes.
    copies
        Every pair of files that show the same photograph.
    shortcuts
        What single columns tell of the class, the strongest first.
    """

    sources: tuple[tuple[str, int], ...]
    split: str
    findings: tuple[Finding, ...]
    copies: tuple[Copy, ...]
    shortcuts: tuple[Shortcut, ...]


def audit(
    tables: Sequence[LesionTable], split: Split | None = None, *, progress: Progress | None = None
) -> Audit:
    """Audit tables, together and across one another; every image is read.

    Parameters
    ----------
    split
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
    rows = placed(tables, split)
    groups = np.concatenate([table.groups for table in tables]).astype(str)
    pairs, unreadable = copies(rows, progress)
    found = [*_by_id(rows, groups), *copy_findings(pairs)]
    found += findings([("files that are missing or cannot be read", "conflict", unreadable)])
    told = shortcuts(_columns(rows), rows["diagnosis"].to_numpy(dtype=str), groups)
    said = [f"{table.name}: {line}" for table in tables for line in table.warnings]
    found += findings([("remarks of the reader", "note", said)])
    strong = [
        f"{each.column}: balanced accuracy {each.balanced_accuracy:.2f}, chance {each.chance:.2f}"
        for each in told
        if each.strong
    ]
    found += findings([("columns that alone tell much of the class", "note", strong)])
    order = ("leak", "conflict", "note")
    return Audit(
        tuple((str(name), int(count)) for name, count in rows["set"].value_counts(sort=False).items()),
        split.how if split else "",
        tuple(sorted(found, key=lambda each: order.index(each.severity))),
        pairs,
        told,
    )


def _by_id(rows: pd.DataFrame, groups: NDArray[np.str_]) -> list[Finding]:
    """Find what ids alone tell."""
    rows = rows.assign(group=groups)
    # Where no lesion is told, its id is the image's; but a told one may have the id of one of its images.
    told = rows["lesion_id"].isin(set(rows["lesion_id"][rows["lesion_id"] != rows["image_id"]]))
    apart = rows[told]
    owned = rows[rows["patient_id"] != ""]
    lone = rows["set"][~told].value_counts(sort=False)
    unknown = [f"{name}: {_each(int(count))}" for name, count in lone.items()]
    return findings(
        [
            ("lesions in more than one part", "leak", _several(apart, "lesion_id", "part")),
            ("patients in more than one part", "leak", _several(owned, "patient_id", "part")),
            ("lesions in more than one data set", "leak", _several(apart, "lesion_id", "set")),
            ("image ids in more than one data set", "leak", _several(rows, "image_id", "set")),
            ("lesions with more than one label", "conflict", _several(apart, "lesion_id", "diagnosis")),
            ("data sets with images whose lesion is not known", "note", unknown),
        ]
    )


def _each(count: int) -> str:
    return f"{counted(count, 'image')}, {'' if count == 1 else 'each '}taken for a lesion of its own"


def _several(rows: pd.DataFrame, key: str, column: str) -> list[str]:
    """Say which keys have several values of a column (``""`` is none)."""
    known = rows[rows[column] != ""]
    values = known.groupby(key)[column].agg(lambda cells: sorted(set(cells)))
    return [f"{name}: {', '.join(each)}" for name, each in values.items() if len(each) > 1]


def _columns(rows: pd.DataFrame) -> dict[str, NDArray[np.str_]]:
    """Give what is known of each image beside its picture."""
    columns = {name: rows[name].astype(str).to_numpy(dtype=str) for name in _TOLD}
    headers = [_header(Path(path)) for path in rows["path"]]
    columns["image size"] = np.array([size for size, _ in headers])
    columns["file format"] = np.array([kind for _, kind in headers])
    return columns


def _header(path: Path) -> tuple[str, str]:
    try:
        header = probe(path)
    except ImageError:
        return "", ""
    return f"{header.width} × {header.height}", header.format
