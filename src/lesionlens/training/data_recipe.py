"""The section ``data``: which images, what is asked of them, which part each is in."""

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from lesionlens.data.decoding import ColorConstancy, HairRemoval
from lesionlens.data.store_kind import CacheOption
from lesionlens.training.section import ConfigSection

Fraction = Annotated[float, Field(ge=0, lt=1)]


class DataRecipe(ConfigSection):
    """Which images.

    Attributes
    ----------
    source
        ``NAME:ROOT``, for example ``ham10000:/data/ham10000``, or ``table:my.csv``.
    extra_train
        More sources whose images join the training part, without those that the source has already.
    task
        ``all``: every class of the data set; one diagnosis against the rest, for example ``melanoma``; against
        another, ``seborrheic_keratosis/nevus``; or several at once, each with an output of its own,
        ``melanoma+seborrheic_keratosis``.
    classes
        Labels of one's own table, where they are none of the field's.
    split
        ``official``, ``grouped`` (by lesion), ``kfold``, ``kfold-images``, ``gessert2019``, ``datta2021``, or the path
        of a CSV ``image_id,part``.
    val_fraction, test_fraction
        Shares that a split holds out, where it does not say them itself; ``validation: 0`` with ``select_on: test``
        holds nothing out, and an official validation part trains too.
    split_seed
        Of what a split draws: the same for all runs of a recipe.
    val_split_name, test_split_name
        Names of the parts in a split file; all others train.
    checkpoint_split
        The part that chooses the checkpoint: ``test_fraction`` only to do as some authors did.
    mask_dir
        Folder of lesion masks ``ID*.png`` in place of the data set's own, as ``lesionlens segment predict`` writes.
    color_constancy
        Colour constancy: ``none``, ``gray-world`` or ``shades-of-gray``.
    hair_removal
        ``keep``, or ``remove``: dark hairs are painted over.
    max_short_side
        Larger images are brought down to this when they are decoded (once, into the store); null keeps all.
    cache
        How decoded images are kept: ``memmap``, as they are; ``jpeg``, of quality 95, in about a tenth of the room;
        ``none``, decoded anew at each visit; ``auto``, the first of these that takes at most half of the free disk.
    cache_dir
        Where they are kept; null: the user's cache folder.
    images_on
        Where training images lie: ``device``, in the memory of what computes, where whole batches are cut and changed
        at once; ``host``; ``auto``: on a CUDA card whose free memory is at least twice what they take.
    """

    source: str
    extra_train: tuple[str, ...] = ()
    task: str = "all"
    classes: tuple[str, ...] | None = None
    split: str = "grouped"
    val_fraction: Fraction = 0.15
    test_fraction: Fraction = 0.15
    split_seed: int = Field(default=0, ge=0)
    val_split_name: str = "validation"
    test_split_name: str = "test"
    checkpoint_split: Literal["validation", "test"] = "validation"
    mask_dir: str | None = None
    color_constancy: ColorConstancy = "none"
    hair_removal: HairRemoval = "keep"
    max_short_side: int | None = Field(default=512, ge=32)
    cache: CacheOption = "auto"
    cache_dir: str | None = None
    images_on: Literal["auto", "host", "device"] = "auto"

    @field_validator("store", mode="before")
    @classmethod
    def _check_cache_option(cls, value: object) -> object:
        if value not in get_args(CacheOption):
            raise ValueError(
                f"{value!r} is no way to keep images; allowed: {', '.join(get_args(CacheOption))}. "
                "A folder belongs into data.store_folder"
            )
        return value
