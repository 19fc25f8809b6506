"""Images with ground-truth masks: loading, exclusions with reasons, and splits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lesionlens.core.errors import DataError
from lesionlens.datasets.audit.leakage import find_leakage
from lesionlens.datasets.excluded import ExcludedImage
from lesionlens.datasets.image_sample import sample_images
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.splits.factory import make_splits
from lesionlens.datasets.table import SPLITS, LesionTable
from lesionlens.segmentation.config import SegmentationConfig


class SegmentationSample(NamedTuple):
    """An image and its ground-truth mask."""

    image_id: str
    path: Path
    mask_path: Path
    lesion_id: str


@dataclass(frozen=True)
class SourceTables:
    """Lesion tables with masks; no image is in two of them.

    Attributes
    ----------
    excluded
        Rows without a mask, and images that an earlier table already contains.
    """

    tables: tuple[LesionTable, ...]
    excluded: tuple[ExcludedImage, ...]

    @property
    def samples(self) -> tuple[SegmentationSample, ...]:
        """All images with a mask, table by table."""
        return tuple(sample for table in self.tables for sample in samples_with_masks(table))


def load_source_tables(
    sources: Sequence[str], *, within_root: bool = False, max_images: int | None = None
) -> SourceTables:
    """Load tables, as ``load_table`` does, and select the rows that have a mask, at most ``max_images`` of each table.

    Raises
    ------
    DataError
        A table cannot be used, or none of its rows has a mask.
    """
    tables: list[LesionTable] = []
    excluded: list[ExcludedImage] = []
    sources_by_image: dict[str, str] = {}
    for source in sources:
        table = load_table(source, labels="optional", within_root=within_root)
        reasons = dict(_unusable_images(table, sources_by_image))
        excluded += [
            ExcludedImage(image, "", reason) for image, reason in (*table.excluded, *reasons.items())
        ]
        usable = [image for image in table.frame["image_id"] if image not in reasons]
        if not usable:
            raise DataError(
                f"{source} has no mask to train on: {next(iter(reasons.values()), 'it has no image')}. Masks are "
                "expected in the dataset's documented layout, or in the column mask_path of your table"
            )
        sources_by_image |= dict.fromkeys(usable, source)
        usable_table = table.select(usable)
        tables.append(usable_table if max_images is None else sample_images(usable_table, max_images))
    return SourceTables(tuple(tables), tuple(excluded))


def samples_with_masks(table: LesionTable) -> Iterator[SegmentationSample]:
    """Yield the rows of a table that have a mask."""
    columns = ["image_id", "path", "mask_path", "lesion_id"]
    for image, path, mask, lesion in table.frame[columns].itertuples(index=False):
        if mask:
            yield SegmentationSample(image, Path(path), Path(mask), lesion)


def _unusable_images(table: LesionTable, sources_by_image: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for image, mask in table.frame[["image_id", "mask_path"]].itertuples(index=False):
        if image in sources_by_image:
            yield image, f"{sources_by_image[image]} already has an image with this id"
        elif not mask:
            yield image, "no mask"


def split_samples(
    source_tables: SourceTables, excluded: Sequence[ExcludedImage], config: SegmentationConfig
) -> DatasetSplits:
    """Split each table, by official splits or by lesion, and concatenate the splits.

    Parameters
    ----------
    excluded
        Images whose mask cannot be used.

    Raises
    ------
    DataError
        A table has no usable image, no official splits although they are requested, or too few lesions; or fewer than
        two images remain for training.
    """
    reasons = {image.image_id: image.reason for image in excluded}
    splits = [_split_table(table, reasons, config) for table in source_tables.tables]
    joined = {
        name: tuple(image for table_splits in splits for image in table_splits.splits.get(name, ()))
        for name in SPLITS
    }
    if len(joined["train"]) < 2:
        raise DataError(
            "Only one image with a mask is available for training, but batch norm needs two. Add images, or choose "
            "another --split"
        )
    return DatasetSplits(
        splits={name: ids for name, ids in joined.items() if ids},
        description="; ".join(
            f"{table.name}: {table_splits.description}"
            for table, table_splits in zip(source_tables.tables, splits, strict=True)
        ),
        # segmentation does not use the classes, so a split without one of them is not a problem
        caveats=tuple(
            caveat
            for table, table_splits in zip(source_tables.tables, splits, strict=True)
            for caveat in dict.fromkeys((*table_splits.caveats, *find_leakage(table, table_splits)))
            if caveat.kind != "missing classes"
        ),
        excluded=tuple(pair for table_splits in splits for pair in table_splits.excluded),
    )


def _split_table(table: LesionTable, reasons: Mapping[str, str], config: SegmentationConfig) -> DatasetSplits:
    usable = [image for image in table.frame["image_id"] if image not in reasons]
    if not usable:
        image = table.frame["image_id"].iloc[0]
        raise DataError(
            f"No mask of {table.name}:{table.root} can be used, for example that of {image}: {reasons[image]}"
        )
    selected = table.select(usable)
    automatic = "official" if (selected.frame["split"] == "train").any() else "group_holdout"
    return make_splits(
        selected,
        name=automatic if config.split == "auto" else config.split,
        val_fraction=config.val_fraction,
        test_fraction=config.test_fraction,
        seed=config.seed,
    )


def samples_by_split(
    source_tables: SourceTables, splits: DatasetSplits
) -> dict[str, tuple[SegmentationSample, ...]]:
    """Return the samples of each split that exists."""
    by_id = {sample.image_id: sample for sample in source_tables.samples}
    return {name: tuple(by_id[image] for image in ids) for name, ids in splits.splits.items()}
