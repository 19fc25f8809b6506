"""Pairs of images that show the same photograph, and what is wrong with each pair."""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from lesionlens.data.audit.finding import Finding, Severity, findings
from lesionlens.data.confirmation import BENIGN
from lesionlens.data.duplicates import Fingerprint, Progress, duplicates, fingerprints


class Place(NamedTuple):
    """One image of a pair."""

    set: str
    image_id: str
    part: str
    diagnosis: str
    lesion_id: str
    path: str

    def __str__(self) -> str:
        return f"{self.image_id} ({', '.join(filter(None, [self.set, self.part, self.diagnosis]))})"


class Copy(NamedTuple):
    """Two images of one photograph; ``likeness`` is 1 for the same bytes."""

    first: Place
    second: Place
    kind: Literal["exact", "near"]
    likeness: float

    def __str__(self) -> str:
        return f"{self.first} and {self.second}"

    @property
    def where(self) -> Literal["across parts", "across data sets", "within a data set"]:
        """What lies between the two images; one that no part has is across none."""
        if self.first.set != self.second.set:
            return "across data sets"
        parts = {self.first.part, self.second.part} - {""}
        return "across parts" if len(parts) == 2 else "within a data set"


def copies(rows: pd.DataFrame, progress: Progress | None) -> tuple[tuple[Copy, ...], tuple[str, ...]]:
    """Compare all images of placed rows; give the pairs, the most alike first, and what could not be read."""
    # a file stands for its copies: one that has a part first, lest two parts' copies meet in one that has none
    rows = rows.iloc[np.argsort(rows["part"].to_numpy() == "", kind="stable")]
    found = fingerprints([Path(path) for path in rows["path"]], progress=progress)
    usable = [place for place, each in enumerate(found) if isinstance(each, Fingerprint)]
    unreadable = tuple(each for each in found if isinstance(each, str))
    pairs = duplicates([each for each in found if isinstance(each, Fingerprint)])
    places = [Place(*row) for row in rows[list(Place._fields)].itertuples(index=False)]
    made = [
        Copy(places[usable[pair.first]], places[usable[pair.second]], pair.kind, pair.likeness)
        for pair in pairs
    ]
    return tuple(sorted(made, key=lambda each: -each.likeness)), unreadable


def copy_findings(pairs: tuple[Copy, ...]) -> list[Finding]:
    """Sort pairs by what is wrong with them."""
    kinds: list[tuple[str, Severity, list[str]]] = []
    for kind, name in (("exact", "byte-identical"), ("near", "nearly identical")):
        for where in ("across parts", "across data sets", "within a data set"):
            severity: Severity = "note" if where == "within a data set" else "leak"
            cases = [str(pair) for pair in pairs if pair.kind == kind and pair.where == where]
            kinds.append((f"{name} pairs {where}", severity, cases))
    differ = [str(pair) for pair in pairs if _clash(pair.first.diagnosis, pair.second.diagnosis)]
    kinds.append(("copies with different labels", "conflict", differ))
    other = [
        str(pair)
        for pair in pairs
        if pair.first.set == pair.second.set and pair.first.lesion_id != pair.second.lesion_id
    ]
    kinds.append(("copies that count as different lesions, so that a split may part them", "note", other))
    return findings(kinds)


def _clash(one: str, other: str) -> bool:
    """Tell whether two labels cannot both be true: no label, and a wider name for the same, can."""
    told = {one, other} - {""}
    wider = ("benign" in told and told <= BENIGN) or told == {"benign_keratosis", "seborrheic_keratosis"}
    return len(told) == 2 and not wider
