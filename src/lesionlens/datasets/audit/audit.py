"""Look through data sets for what makes numbers too good: shared lesions, copies, conflicting labels, shortcuts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionlens.core.errors import DataError, ImageError
from lesionlens.core.taxonomy import BENIGN_DIAGNOSES
from lesionlens.core.types import ProgressCallback
from lesionlens.datasets.audit.duplicates import Fingerprint, duplicate_pairs, fingerprints
from lesionlens.datasets.audit.leakage import concat_with_split
from lesionlens.datasets.audit.shortcuts import Shortcut, find_shortcuts
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.table import LesionTable
from lesionlens.imaging.decode import read_header

FindingSeverity = Literal["leak", "conflict", "note"]


@dataclass(frozen=True)
class Finding:
    """How often something was found, with all cases.

    Attributes
    ----------
    kind
        In the plural, to be read after the number.
    severity
        ``leak``: numbers may be too good; ``conflict``: of two statements one is wrong; ``note``: good to know.
    cases
        One line each.
    """

    kind: str
    severity: FindingSeverity
    cases: tuple[str, ...]


def drop_empty(candidates: Iterable[tuple[str, FindingSeverity, Sequence[str]]]) -> list[Finding]:
    """Keep the kinds that have a case."""
    return [Finding(kind, severity, tuple(cases)) for kind, severity, cases in candidates if len(cases)]


class ImageRef(NamedTuple):
    """One image of a pair."""

    dataset: str
    image_id: str
    split: str
    diagnosis: str
    lesion_id: str
    path: str

    def __str__(self) -> str:
        return f"{self.image_id} ({', '.join(filter(None, [self.dataset, self.split, self.diagnosis]))})"


class DuplicateFinding(NamedTuple):
    """Two images of one photograph; ``similarity`` is 1 for the same bytes."""

    first: ImageRef
    second: ImageRef
    kind: Literal["exact", "near"]
    similarity: float

    def __str__(self) -> str:
        return f"{self.first} and {self.second}"

    @property
    def scope(self) -> Literal["across splits", "across datasets", "within a dataset"]:
        """What lies between the two images; one that no part has is across none."""
        if self.first.dataset != self.second.dataset:
            return "across datasets"
        parts = {self.first.split, self.second.split} - {""}
        return "across splits" if len(parts) == 2 else "within a dataset"


def find_duplicates(
    rows: pd.DataFrame, progress: ProgressCallback | None
) -> tuple[tuple[DuplicateFinding, ...], tuple[str, ...]]:
    """Compare all images of placed rows; give the pairs, the most alike first, and what could not be read."""
    # a file stands for its copies: one that has a part first, lest two parts' copies meet in one that has none
    rows = rows.iloc[np.argsort(rows["split"].to_numpy() == "", kind="stable")]
    found = fingerprints([Path(path) for path in rows["path"]], progress=progress)
    usable = [place for place, each in enumerate(found) if isinstance(each, Fingerprint)]
    unreadable = tuple(each for each in found if isinstance(each, str))
    pairs = duplicate_pairs([each for each in found if isinstance(each, Fingerprint)])
    places = [ImageRef(*row) for row in rows[list(ImageRef._fields)].itertuples(index=False)]
    made = [
        DuplicateFinding(places[usable[pair.first]], places[usable[pair.second]], pair.kind, pair.similarity)
        for pair in pairs
    ]
    return tuple(sorted(made, key=lambda each: -each.similarity)), unreadable


def duplicate_findings(pairs: tuple[DuplicateFinding, ...]) -> list[Finding]:
    """Sort pairs by what is wrong with them."""
    kinds: list[tuple[str, FindingSeverity, list[str]]] = []
    for kind, name in (("exact", "byte-identical"), ("near", "nearly identical")):
        for where in ("across splits", "across datasets", "within a dataset"):
            severity: FindingSeverity = "note" if where == "within a dataset" else "leak"
            cases = [str(pair) for pair in pairs if pair.kind == kind and pair.scope == where]
            kinds.append((f"{name} pairs {where}", severity, cases))
    differ = [str(pair) for pair in pairs if _labels_conflict(pair.first.diagnosis, pair.second.diagnosis)]
    kinds.append(("copies with different labels", "conflict", differ))
    other = [
        str(pair)
        for pair in pairs
        if pair.first.dataset == pair.second.dataset and pair.first.lesion_id != pair.second.lesion_id
    ]
    kinds.append(("copies that count as different lesions, so that a split may part them", "note", other))
    return drop_empty(kinds)


def _labels_conflict(first: str, second: str) -> bool:
    """Tell whether two labels cannot both be true: no label, and a wider name for the same, can."""
    told = {first, second} - {""}
    wider = ("benign" in told and told <= BENIGN_DIAGNOSES) or told == {
        "benign_keratosis",
        "seborrheic_keratosis",
    }
    return len(told) == 2 and not wider


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
    tables: Sequence[LesionTable],
    splits: DatasetSplits | None = None,
    *,
    progress: ProgressCallback | None = None,
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
        tuple((str(name), int(count)) for name, count in rows["dataset"].value_counts(sort=False).items()),
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
    lone = rows["dataset"][~told].value_counts(sort=False)
    unknown = [f"{name}: {_own_lesion_phrase(int(count))}" for name, count in lone.items()]
    return drop_empty(
        [
            ("lesions in more than one part", "leak", _conflicting_values(apart, "lesion_id", "split")),
            ("patients in more than one part", "leak", _conflicting_values(owned, "patient_id", "split")),
            ("lesions in more than one data set", "leak", _conflicting_values(apart, "lesion_id", "dataset")),
            ("image ids in more than one data set", "leak", _conflicting_values(rows, "image_id", "dataset")),
            (
                "lesions with more than one label",
                "conflict",
                _conflicting_values(apart, "lesion_id", "diagnosis"),
            ),
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
