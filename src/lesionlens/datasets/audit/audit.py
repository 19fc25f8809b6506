"""Audit of datasets for shared lesions, duplicate images, conflicting labels and shortcuts."""

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
from lesionlens.datasets.artifact_labels import load_artifact_labels, read_artifact_labels
from lesionlens.datasets.audit.artifact_association import ArtifactAssociation, find_artifact_associations
from lesionlens.datasets.audit.duplicates import Fingerprint, duplicate_pairs, fingerprints
from lesionlens.datasets.audit.leakage import concat_with_split
from lesionlens.datasets.audit.shortcuts import Shortcut, find_shortcuts
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.table import LesionTable, conflicting_values
from lesionlens.imaging.decode import read_header

FindingSeverity = Literal["leak", "conflict", "note"]


@dataclass(frozen=True)
class Finding:
    """All cases of one kind of finding.

    Attributes
    ----------
    kind
        Plural noun phrase.
    severity
        ``leak``: results may be optimistically biased; ``conflict``: one of two statements is wrong; ``note``: for
        information.
    cases
        One line per case.
    """

    kind: str
    severity: FindingSeverity
    cases: tuple[str, ...]


def drop_empty(candidates: Iterable[tuple[str, FindingSeverity, Sequence[str]]]) -> list[Finding]:
    """Return findings for the kinds that have at least one case."""
    return [Finding(kind, severity, tuple(cases)) for kind, severity, cases in candidates if len(cases)]


class ImageRef(NamedTuple):
    """An image of a duplicate pair."""

    dataset: str
    image_id: str
    split: str
    diagnosis: str
    lesion_id: str
    path: str

    def __str__(self) -> str:
        return f"{self.image_id} ({', '.join(filter(None, [self.dataset, self.split, self.diagnosis]))})"


class DuplicateFinding(NamedTuple):
    """Two duplicate images; ``similarity`` is 1 for identical files."""

    first: ImageRef
    second: ImageRef
    kind: Literal["exact", "near"]
    similarity: float

    def __str__(self) -> str:
        return f"{self.first} and {self.second}"

    @property
    def scope(self) -> Literal["across splits", "across datasets", "within a dataset"]:
        """Whether the images are in different datasets or splits; an image without a split is in none."""
        if self.first.dataset != self.second.dataset:
            return "across datasets"
        splits = {self.first.split, self.second.split} - {""}
        return "across splits" if len(splits) == 2 else "within a dataset"


def find_duplicates(
    rows: pd.DataFrame, progress: ProgressCallback | None
) -> tuple[tuple[DuplicateFinding, ...], tuple[str, ...]]:
    """Compare all images of a frame with the columns of ``ImageRef``.

    Returns
    -------
    pairs, unreadable
        Duplicate pairs, the most similar first, and one message per file that cannot be read.
    """
    # The first file represents its identical copies. Files with a split come first, so that copies in two splits are
    # paired with each other and not with a copy that is in none.
    rows = rows.iloc[np.argsort(rows["split"].to_numpy() == "", kind="stable")]
    results = fingerprints([Path(path) for path in rows["path"]], progress=progress)
    unreadable = tuple(result for result in results if isinstance(result, str))
    images = [ImageRef(*row) for row in rows[list(ImageRef._fields)].itertuples(index=False)]
    readable = [
        image for image, result in zip(images, results, strict=True) if isinstance(result, Fingerprint)
    ]
    pairs = duplicate_pairs([result for result in results if isinstance(result, Fingerprint)])
    duplicates = [
        DuplicateFinding(readable[pair.first], readable[pair.second], pair.kind, pair.similarity)
        for pair in pairs
    ]
    return tuple(sorted(duplicates, key=lambda pair: -pair.similarity)), unreadable


def duplicate_findings(pairs: tuple[DuplicateFinding, ...]) -> list[Finding]:
    """Return the findings about duplicate pairs, by kind and scope."""
    kinds: list[tuple[str, FindingSeverity, list[str]]] = []
    for kind, name in (("exact", "byte-identical"), ("near", "nearly identical")):
        for scope in ("across splits", "across datasets", "within a dataset"):
            severity: FindingSeverity = "note" if scope == "within a dataset" else "leak"
            cases = [str(pair) for pair in pairs if pair.kind == kind and pair.scope == scope]
            kinds.append((f"{name} pairs {scope}", severity, cases))
    conflicts = [str(pair) for pair in pairs if _labels_conflict(pair.first.diagnosis, pair.second.diagnosis)]
    kinds.append(("duplicates with different labels", "conflict", conflicts))
    separable = [
        str(pair)
        for pair in pairs
        if pair.first.dataset == pair.second.dataset and pair.first.lesion_id != pair.second.lesion_id
    ]
    kinds.append(("duplicates with different lesion ids, which a split may separate", "note", separable))
    return drop_empty(kinds)


def _labels_conflict(first: str, second: str) -> bool:
    """Return whether two labels contradict each other; a missing label or a more general one does not."""
    labels = {first, second} - {""}
    general = "benign" in labels and labels <= BENIGN_DIAGNOSES
    keratoses = labels == {"benign_keratosis", "seborrheic_keratosis"}
    return len(labels) == 2 and not general and not keratoses


NO_SPLITS = "no image has a split, so that leaks between splits were not checked"
_NO_SPLITS_ADVICE = "pass the split that training uses, for example --split group_holdout"
_METADATA_COLUMNS = ("diagnosis_method", "site", "age", "sex", "source")


@dataclass(frozen=True)
class Audit:
    """Result of an audit.

    Attributes
    ----------
    sources
        Datasets with their number of images.
    split_description
        How the splits were made; ``""`` for official splits.
    findings
        Findings: leaks first, then conflicts, then notes.
    duplicates
        All duplicate pairs, the most similar first.
    shortcuts
        Columns that predict the class, the strongest first.
    artifacts
        Association of each labeled artifact with the class, the strongest first.
    """

    sources: tuple[tuple[str, int], ...]
    split_description: str
    findings: tuple[Finding, ...]
    duplicates: tuple[DuplicateFinding, ...]
    shortcuts: tuple[Shortcut, ...]
    artifacts: tuple[ArtifactAssociation, ...] = ()


def audit_tables(
    tables: Sequence[LesionTable],
    splits: DatasetSplits | None = None,
    *,
    artifact_labels: Path | None = None,
    progress: ProgressCallback | None = None,
) -> Audit:
    """Audit one or several tables together; every image is decoded.

    Parameters
    ----------
    tables
        Tables to audit.
    splits
        Splits of the first table. Default: the official splits of all tables.
    artifact_labels
        Label file of artifacts for the images of all tables. Default: ``artifacts.csv`` of each dataset that has one.
    progress
        Called with the number of images read and the total.

    Raises
    ------
    DataError
        ``tables`` is empty, or a label file of artifacts cannot be used.
    """
    if not tables:
        raise DataError("there is nothing to audit; name a dataset, for example ham10000:FOLDER")
    rows = concat_with_split(tables, splits)
    groups = np.concatenate([table.group_ids for table in tables]).astype(str)
    labels = _artifact_labels(tables, rows, artifact_labels)
    pairs, unreadable = find_duplicates(rows, progress)
    diagnosis = rows["diagnosis"].to_numpy(dtype=str)
    shortcuts = find_shortcuts(_collect_columns(rows, labels), diagnosis, groups)
    artifacts = find_artifact_associations(labels, diagnosis, groups)
    warnings = [f"{table.name}: {line}" for table in tables for line in table.warnings]
    findings = [
        *_id_findings(rows),
        *duplicate_findings(pairs),
        *drop_empty(
            [
                ("files that are missing or cannot be read", "conflict", unreadable),
                ("warnings of the reader", "note", warnings),
                (NO_SPLITS, "note", [] if (rows["split"] != "").any() else [_NO_SPLITS_ADVICE]),
                ("columns that predict the class without the image", "note", _strong_shortcuts(shortcuts)),
                ("artifacts associated with the class", "note", _significant_artifacts(artifacts)),
            ]
        ),
    ]
    order = ("leak", "conflict", "note")
    return Audit(
        tuple((str(name), int(count)) for name, count in rows["dataset"].value_counts(sort=False).items()),
        splits.description if splits else "",
        tuple(sorted(findings, key=lambda finding: order.index(finding.severity))),
        pairs,
        shortcuts,
        artifacts,
    )


def _artifact_labels(tables: Sequence[LesionTable], rows: pd.DataFrame, path: Path | None) -> pd.DataFrame:
    """Return the labels of all images from one file, or else from the file of each dataset; missing ones are NaN."""
    if path is not None:
        return read_artifact_labels(path, rows["image_id"].astype(str).tolist())
    return pd.concat([load_artifact_labels(table) for table in tables], ignore_index=True)


def _significant_artifacts(artifacts: Sequence[ArtifactAssociation]) -> list[str]:
    return [
        f"{item.artifact}: {item.format_rates()}; Cramér's V {item.cramers_v:.2f}"
        for item in artifacts
        if item.is_significant
    ]


def _strong_shortcuts(shortcuts: Sequence[Shortcut]) -> list[str]:
    return [
        f"{shortcut.column}: balanced accuracy {shortcut.balanced_accuracy:.2f}, chance {shortcut.chance:.2f}"
        for shortcut in shortcuts
        if shortcut.is_strong
    ]


def _id_findings(rows: pd.DataFrame) -> list[Finding]:
    """Return the findings that follow from image, lesion and patient IDs."""
    # An unknown lesion ID equals the image ID; but a known one may equal the ID of one of its images.
    known = rows["lesion_id"].isin(set(rows["lesion_id"][rows["lesion_id"] != rows["image_id"]]))
    lesions = rows[known]
    patients = rows[rows["patient_id"] != ""]
    unknown = [
        f"{name}: {pluralize(int(count), 'image')}, treated as {pluralize(int(count), 'separate lesion')}"
        for name, count in rows["dataset"][~known].value_counts(sort=False).items()
    ]
    return drop_empty(
        [
            ("lesions in more than one split", "leak", _conflicts(lesions, "lesion_id", "split")),
            ("patients in more than one split", "leak", _conflicts(patients, "patient_id", "split")),
            ("lesions in more than one dataset", "leak", _conflicts(lesions, "lesion_id", "dataset")),
            ("image ids in more than one dataset", "leak", _conflicts(rows, "image_id", "dataset")),
            ("lesions with more than one label", "conflict", _conflicts(lesions, "lesion_id", "diagnosis")),
            ("datasets with images of unknown lesion", "note", unknown),
        ]
    )


def _conflicts(rows: pd.DataFrame, key: str, column: str) -> list[str]:
    """Return the keys with several values of a column, ignoring ``""``."""
    return [f"{name}: {', '.join(values)}" for name, values in conflicting_values(rows, key, column).items()]


def _collect_columns(rows: pd.DataFrame, artifact_labels: pd.DataFrame) -> dict[str, NDArray[np.str_]]:
    """Return what is known about each image except its pixels, by column; an unknown value is ``""``."""
    columns = {name: rows[name].astype(str).to_numpy(dtype=str) for name in _METADATA_COLUMNS}
    headers = [_size_and_format(Path(path)) for path in rows["path"]]
    columns["image size"] = np.array([size for size, _ in headers])
    columns["file format"] = np.array([kind for _, kind in headers])
    for name in artifact_labels:
        flags = artifact_labels[name]
        columns[f"artifact {name}"] = np.where(flags.isna(), "", np.where(flags == 1, "yes", "no"))
    return columns


def _size_and_format(path: Path) -> tuple[str, str]:
    try:
        header = read_header(path)
    except ImageError:
        return "", ""
    return f"{header.width} × {header.height}", header.format
