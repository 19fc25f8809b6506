"""Images with their true masks: which can be learnt from, which are left out and why, and the part of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lesionlens.core.errors import DataError
from lesionlens.datasets.audit.leakage import find_leakage
from lesionlens.datasets.excluded import ExcludedImage
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.splits.factory import make_splits
from lesionlens.datasets.table import SPLITS, LesionTable
from lesionlens.segmentation.config import SegmentationConfig


class SegmentationSample(NamedTuple):
    """An image and its true mask."""

    image_id: str
    path: Path
    mask_path: Path
    lesion_id: str


@dataclass(frozen=True)
class SourceTables:
    """Tables with masks, each with rows of its own.

    Attributes
    ----------
    excluded
        Rows without a mask, and images that an earlier table has too.
    """

    tables: tuple[LesionTable, ...]
    excluded: tuple[ExcludedImage, ...]

    @property
    def samples(self) -> tuple[SegmentationSample, ...]:
        """All images with a mask, table by table."""
        return tuple(case for table in self.tables for case in samples_with_masks(table))


def load_source_tables(sources: Sequence[str]) -> SourceTables:
    """Load tables and keep the rows that name a mask.

    Raises
    ------
    DataError
        A table cannot be used, or none of its rows names a mask.
    """
    tables: list[LesionTable] = []
    left_out: list[ExcludedImage] = []
    seen: dict[str, str] = {}
    for source in sources:
        table = load_table(source)
        reasons = dict(_unusable_images(table, seen))
        without = (*table.excluded, *reasons.items())
        left_out += [ExcludedImage(image, "", reason) for image, reason in without]
        kept = [image for image in table.frame["image_id"] if image not in reasons]
        if not kept:
            raise DataError(
                f"{source} has no mask to learn from: {next(iter(reasons.values()), 'it has no image')}. Masks lie "
                "beside the images as the data set's documentation says, or in the column mask_path of your table"
            )
        seen |= dict.fromkeys(kept, source)
        tables.append(table.select(kept))
    return SourceTables(tuple(tables), tuple(left_out))


def samples_with_masks(table: LesionTable) -> Iterator[SegmentationSample]:
    """Give the rows of a table that name a mask."""
    columns = ["image_id", "path", "mask_path", "lesion_id"]
    for image, path, mask, lesion in table.frame[columns].itertuples(index=False):
        if mask:
            yield SegmentationSample(image, Path(path), Path(mask), lesion)


def _unusable_images(table: LesionTable, sources_by_image: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for image, mask in table.frame[["image_id", "mask_path"]].itertuples(index=False):
        if image in sources_by_image:
            yield image, f"{sources_by_image[image]} has an image of this id already"
        elif not mask:
            yield image, "no mask"


def split_samples(
    source_tables: SourceTables, excluded: Sequence[ExcludedImage], config: SegmentationConfig
) -> DatasetSplits:
    """Split the images of each table, by its official parts or by lesion, and join the parts.

    Parameters
    ----------
    excluded
        Images with a mask that cannot be used.

    Raises
    ------
    DataError
        A table has nothing left, no official parts although they are asked for, or too few lesions; one image is left
        to train on.
    """
    reasons = {each.image_id: each.reason for each in excluded}
    splits = [_split_table(table, reasons, config) for table in source_tables.tables]
    parts = {part: tuple(image for each in splits for image in each.splits.get(part, ())) for part in SPLITS}
    if len(parts["train"]) < 2:
        raise DataError(
            "one image with a mask is left to train on, and batch norm needs two: give more images, or another --split"
        )
    return DatasetSplits(
        splits={part: ids for part, ids in parts.items() if ids},
        description="; ".join(
            f"{table.name}: {each.description}"
            for table, each in zip(source_tables.tables, splits, strict=True)
        ),
        # masks need no classes: a part without one of them is no reason to worry
        caveats=tuple(
            remark
            for table, each in zip(source_tables.tables, splits, strict=True)
            for remark in dict.fromkeys((*each.caveats, *find_leakage(table, each)))
            if "has no image of" not in remark
        ),
        excluded=tuple(pair for each in splits for pair in each.excluded),
    )


def _split_table(table: LesionTable, reasons: Mapping[str, str], config: SegmentationConfig) -> DatasetSplits:
    there = [image for image in table.frame["image_id"] if image not in reasons]
    if not there:
        image = table.frame["image_id"].iloc[0]
        raise DataError(
            f"not one mask of {table.name}:{table.root} can be used, for example that of {image}: {reasons[image]}"
        )
    chosen = table.select(there)
    by_itself = "official" if (chosen.frame["split"] == "train").any() else "group_holdout"
    return make_splits(
        chosen,
        name=by_itself if config.split == "auto" else config.split,
        val_fraction=config.val_fraction,
        test_fraction=config.test_fraction,
        seed=config.seed,
    )


def samples_by_split(
    source_tables: SourceTables, splits: DatasetSplits
) -> dict[str, tuple[SegmentationSample, ...]]:
    """Give the cases of each part; a part that does not exist is absent."""
    known = {case.image_id: case for case in source_tables.samples}
    return {part: tuple(known[image] for image in ids) for part, ids in splits.splits.items()}
