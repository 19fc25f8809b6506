"""Pairs of images that show the same photograph, and what is wrong with each pair."""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from lesionlens.data.audit.finding import Finding, FindingSeverity, drop_empty
from lesionlens.data.confirmation import BENIGN_DIAGNOSES
from lesionlens.data.duplicates import Fingerprint, ProgressCallback, duplicate_pairs, fingerprints


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
    def scope(self) -> Literal["across parts", "across data sets", "within a data set"]:
        """What lies between the two images; one that no part has is across none."""
        if self.first.dataset != self.second.dataset:
            return "across data sets"
        parts = {self.first.split, self.second.split} - {""}
        return "across parts" if len(parts) == 2 else "within a data set"


def find_duplicates(rows: pd.DataFrame, progress: ProgressCallback | None) -> tuple[tuple[DuplicateFinding, ...], tuple[str, ...]]:
    """Compare all images of placed rows; give the pairs, the most alike first, and what could not be read."""
    # a file stands for its copies: one that has a part first, lest two parts' copies meet in one that has none
    rows = rows.iloc[np.argsort(rows["part"].to_numpy() == "", kind="stable")]
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
        for where in ("across parts", "across data sets", "within a data set"):
            severity: FindingSeverity = "note" if where == "within a data set" else "leak"
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
    wider = ("benign" in told and told <= BENIGN_DIAGNOSES) or told == {"benign_keratosis", "seborrheic_keratosis"}
    return len(told) == 2 and not wider
