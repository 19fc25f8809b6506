"""A painted set on its way into another layout: its rows, and its files by image."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lesionlens.data.problems import counted
from lesionlens.errors import DataError


@dataclass(frozen=True)
class Painted:
    """What `synthesise` wrote, and what each image is in the layout to come.

    Attributes
    ----------
    folder
        Where the files lie, and where the layout is to be.
    rows
        The columns of ``HAM10000_metadata.csv``, and ``label`` and ``part`` as the layout has them.
    size
        Height and width in pixels.
    """

    folder: Path
    rows: pd.DataFrame
    size: tuple[int, int]

    def parts(self) -> Iterable[tuple[str, pd.DataFrame]]:
        """Give each official part with its rows."""
        yield from ((str(part), rows) for part, rows in self.rows.groupby("part", sort=False))

    def move_images(self, rows: pd.DataFrame, to: str) -> None:
        """Put these images into a folder of the layout."""
        _move(self.folder / "HAM10000_images", "{}.jpg", rows["image_id"], self.folder / to, "{}.jpg")

    def move_masks(self, rows: pd.DataFrame, to: str, *, name: str = "{}_segmentation.png") -> None:
        """Put these lesion masks into a folder of the layout, each under this name."""
        _move(self.folder / "masks", "{}_segmentation.png", rows["image_id"], self.folder / to, name)

    def write(self, path: str, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
        """Write a table of the layout; without a header where that is empty."""
        with (self.folder / path).open("w", newline="", encoding="utf-8") as stream:
            lines = csv.writer(stream, lineterminator="\n")
            lines.writerows([*([tuple(header)] if header else []), *rows])


def read_painted(
    folder: Path, *, labels: Mapping[str, str], shares: Mapping[str, float], size: tuple[int, int]
) -> Painted:
    """Read the table of a painted set and give each image its label and its part.

    Parameters
    ----------
    labels
        HAM10000 code -> label of the layout.
    shares
        Official part -> share of the lesions; whole lesions go to a part, every class to every part.

    Raises
    ------
    DataError
        A class has fewer lesions than there are parts.
    """
    rows = pd.read_csv(folder / "HAM10000_metadata.csv", dtype=str, keep_default_na=False)
    rows["label"] = rows["dx"].map(dict(labels))
    lesions = rows.drop_duplicates("lesion_id")
    parts = dict(zip(lesions["lesion_id"], _dealt(list(lesions["label"]), shares), strict=True))
    rows["part"] = rows["lesion_id"].map(parts)
    for label in dict.fromkeys(labels.values()):
        there = int((lesions["label"] == label).sum())
        if there < len(shares):
            raise DataError(
                f"{counted(len(rows), 'image')} are too few: {there} of their lesions are {label}, "
                f"and each of {counted(len(shares), 'part')} needs one. Draw more images."
            )
    return Painted(folder, rows, size)


def _dealt(labels: list[str], shares: Mapping[str, float]) -> list[str]:
    """Deal lesions out to the parts by share, class by class, first one of a class to each part."""
    dealt: list[str] = []
    given = {label: dict.fromkeys(shares, 0) for label in labels}
    for label in labels:
        had = given[label]
        seen = sum(had.values()) + 1
        lacking = [part for part in shares if not had[part]]
        part = max(lacking or shares, key=lambda part: shares[part] * seen - had[part])
        had[part] += 1
        dealt.append(part)
    return dealt


def _move(source: Path, old: str, names: Iterable[str], target: Path, new: str) -> None:
    target.mkdir(exist_ok=True)
    for name in names:
        (source / old.format(name)).rename(target / new.format(name))
