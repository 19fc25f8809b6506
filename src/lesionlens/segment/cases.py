"""Images with their true masks: which can be learnt from, which are left out and why, and the part of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lesionlens.data.audit import leaks
from lesionlens.data.datasets import load_table
from lesionlens.data.splits import Split, make_split
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError
from lesionlens.segment.options import Options
from lesionlens.training.left_out import LeftOut

PARTS = ("train", "validation", "test")


class Case(NamedTuple):
    """An image and its true mask."""

    image_id: str
    path: Path
    mask_path: Path
    lesion_id: str


@dataclass(frozen=True)
class Sources:
    """Tables with masks, each with rows of its own.

    Attributes
    ----------
    left_out
        Rows without a mask, and images that an earlier table has too.
    """

    tables: tuple[LesionTable, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def cases(self) -> tuple[Case, ...]:
        """All images with a mask, table by table."""
        return tuple(case for table in self.tables for case in cases_of(table))


def read_sources(sources: Sequence[str]) -> Sources:
    """Load tables and keep the rows that name a mask.

    Raises
    ------
    DataError
        A table cannot be used, or none of its rows names a mask.
    """
    tables: list[LesionTable] = []
    left_out: list[LeftOut] = []
    seen: dict[str, str] = {}
    for source in sources:
        table = load_table(source)
        reasons = dict(_unusable(table, seen))
        without = (*table.left_out, *reasons.items())
        left_out += [LeftOut(image, "", reason) for image, reason in without]
        kept = [image for image in table.frame["image_id"] if image not in reasons]
        if not kept:
            raise DataError(
                f"{source} has no mask to learn from: {next(iter(reasons.values()), 'it has no image')}. Masks lie "
                "beside the images as the data set's documentation says, or in the column mask_path of your table"
            )
        seen |= dict.fromkeys(kept, source)
        tables.append(table.select(kept))
    return Sources(tuple(tables), tuple(left_out))


def cases_of(table: LesionTable) -> Iterator[Case]:
    """Give the rows of a table that name a mask."""
    columns = ["image_id", "path", "mask_path", "lesion_id"]
    for image, path, mask, lesion in table.frame[columns].itertuples(index=False):
        if mask:
            yield Case(image, Path(path), Path(mask), lesion)


def _unusable(table: LesionTable, seen: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for image, mask in table.frame[["image_id", "mask_path"]].itertuples(index=False):
        if image in seen:
            yield image, f"{seen[image]} has an image of this id already"
        elif not mask:
            yield image, "no mask"


def divide(sources: Sources, left_out: Sequence[LeftOut], options: Options) -> Split:
    """Split the images of each table, by its official parts or by lesion, and join the parts.

    Parameters
    ----------
    left_out
        Images with a mask that cannot be used.

    Raises
    ------
    DataError
        A table has nothing left, no official parts although they are asked for, or too few lesions; one image is left
        to train on.
    """
    reasons = {each.image_id: each.reason for each in left_out}
    splits = [_split(table, reasons, options) for table in sources.tables]
    parts = {part: tuple(image for each in splits for image in each.parts.get(part, ())) for part in PARTS}
    if len(parts["train"]) < 2:
        raise DataError(
            "one image with a mask is left to train on, and batch norm needs two: give more images, or another --split"
        )
    return Split(
        parts={part: ids for part, ids in parts.items() if ids},
        how="; ".join(
            f"{table.name}: {each.how}" for table, each in zip(sources.tables, splits, strict=True)
        ),
        # masks need no classes: a part without one of them is no reason to worry
        remarks=tuple(
            remark
            for table, each in zip(sources.tables, splits, strict=True)
            for remark in dict.fromkeys((*each.remarks, *leaks(table, each)))
            if "has no image of" not in remark
        ),
        left_out=tuple(pair for each in splits for pair in each.left_out),
    )


def _split(table: LesionTable, reasons: Mapping[str, str], options: Options) -> Split:
    there = [image for image in table.frame["image_id"] if image not in reasons]
    if not there:
        image = table.frame["image_id"].iloc[0]
        raise DataError(
            f"not one mask of {table.name}:{table.root} can be used, for example that of {image}: {reasons[image]}"
        )
    chosen = table.select(there)
    by_itself = "official" if (chosen.frame["part"] == "train").any() else "grouped"
    return make_split(
        chosen,
        name=by_itself if options.split == "auto" else options.split,
        validation=options.validation,
        test=options.test,
        seed=options.seed,
    )


def part_cases(sources: Sources, split: Split) -> dict[str, tuple[Case, ...]]:
    """Give the cases of each part; a part that does not exist is absent."""
    known = {case.image_id: case for case in sources.cases}
    return {part: tuple(known[image] for image in ids) for part, ids in split.parts.items()}
