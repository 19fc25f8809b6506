"""A painted set on its way into another layout: its rows, and its files by image."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lesionlens.data.problems import pluralize
from lesionlens.errors import DataError


@dataclass(frozen=True)
class GeneratedDataset:
    """What `synthesise` wrote, and what each image is in the layout to come.

    Attributes
    ----------
    root
        Where the files lie, and where the layout is to be.
    rows
        The columns of ``HAM10000_metadata.csv``, and ``label`` and ``part`` as the layout has them.
    size
        Height and width in pixels.
    """

    root: Path
    rows: pd.DataFrame
    size: tuple[int, int]

    def splits(self) -> Iterable[tuple[str, pd.DataFrame]]:
        """Give each official part with its rows."""
        yield from ((str(part), rows) for part, rows in self.rows.groupby("part", sort=False))

    def move_images(self, rows: pd.DataFrame, target_dir: str) -> None:
        """Put these images into a folder of the layout."""
        _move_files(self.root / "HAM10000_images", "{}.jpg", rows["image_id"], self.root / target_dir, "{}.jpg")

    def move_masks(self, rows: pd.DataFrame, target_dir: str, *, name_pattern: str = "{}_segmentation.png") -> None:
        """Put these lesion masks into a folder of the layout, each under this name."""
        _move_files(self.root / "masks", "{}_segmentation.png", rows["image_id"], self.root / target_dir, name_pattern)

    def write_csv(self, path: str, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
        """Write a table of the layout; without a header where that is empty."""
        with (self.root / path).open("w", newline="", encoding="utf-8") as stream:
            lines = csv.writer(stream, lineterminator="\n")
            lines.writerows([*([tuple(header)] if header else []), *rows])


def read_generated(
    root: Path, *, labels: Mapping[str, str], split_fractions: Mapping[str, float], size: tuple[int, int]
) -> GeneratedDataset:
    """Read the table of a painted set and give each image its label and its part.

    Parameters
    ----------
    labels
        HAM10000 code -> label of the layout.
    split_fractions
        Official part -> share of the lesions; whole lesions go to a part, every class to every part.

    Raises
    ------
    DataError
        A class has fewer lesions than there are parts.
    """
    rows = pd.read_csv(root / "HAM10000_metadata.csv", dtype=str, keep_default_na=False)
    rows["label"] = rows["dx"].map(dict(labels))
    lesions = rows.drop_duplicates("lesion_id")
    parts = dict(zip(lesions["lesion_id"], _assign_splits(list(lesions["label"]), split_fractions), strict=True))
    rows["part"] = rows["lesion_id"].map(parts)
    for label in dict.fromkeys(labels.values()):
        there = int((lesions["label"] == label).sum())
        if there < len(split_fractions):
            raise DataError(
                f"{pluralize(len(rows), 'image')} are too few: {there} of their lesions are {label}, "
                f"and each of {pluralize(len(split_fractions), 'part')} needs one. Draw more images."
            )
    return GeneratedDataset(root, rows, size)


def _assign_splits(labels: list[str], split_fractions: Mapping[str, float]) -> list[str]:
    """Deal lesions out to the parts by share, class by class, first one of a class to each part."""
    dealt: list[str] = []
    given = {label: dict.fromkeys(split_fractions, 0) for label in labels}
    for label in labels:
        had = given[label]
        seen = sum(had.values()) + 1
        lacking = [part for part in split_fractions if not had[part]]
        part = max(lacking or split_fractions, key=lambda part: split_fractions[part] * seen - had[part])
        had[part] += 1
        dealt.append(part)
    return dealt


def _move_files(source_dir: Path, source_pattern: str, image_ids: Iterable[str], target_dir: Path, target_pattern: str) -> None:
    target_dir.mkdir(exist_ok=True)
    for name in image_ids:
        (source_dir / source_pattern.format(name)).rename(target_dir / target_pattern.format(name))
