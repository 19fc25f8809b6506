"""The section ``data``: which images, what is asked of them, which part each is in."""

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from lesionlens.data.decoding import Colour, Hair
from lesionlens.data.store_kind import Asked
from lesionlens.training.section import Section

Share = Annotated[float, Field(ge=0, lt=1)]


class DataRecipe(Section):
    """Which images.

    Attributes
    ----------
    source
        ``NAME:ROOT``, for example ``ham10000:/data/ham10000``, or ``table:my.csv``.
    extra
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
    validation, test
        Shares that a split holds out, where it does not say them itself; ``validation: 0`` with ``select_on: test``
        holds nothing out, and an official validation part trains too.
    seed
        Of what a split draws: the same for all runs of a recipe.
    validation_part, test_part
        Names of the parts in a split file; all others train.
    select_on
        The part that chooses the checkpoint: ``test`` only to do as some authors did.
    masks
        Folder of lesion masks ``ID*.png`` in place of the data set's own, as ``lesionlens segment predict`` writes.
    colour
        Colour constancy: ``none``, ``gray-world`` or ``shades-of-gray``.
    hair
        ``keep``, or ``remove``: dark hairs are painted over.
    shorter_side
        Larger images are brought down to this when they are decoded (once, into the store); null keeps all.
    store
        How decoded images are kept: ``memmap``, as they are; ``jpeg``, of quality 95, in about a tenth of the room;
        ``none``, decoded anew at each visit; ``auto``, the first of these that takes at most half of the free disk.
    store_folder
        Where they are kept; null: the user's cache folder.
    memory
        Where training images lie: ``device``, in the memory of what computes, where whole batches are cut and changed
        at once; ``host``; ``auto``: on a CUDA card whose free memory is at least twice what they take.
    """

    source: str
    extra: tuple[str, ...] = ()
    task: str = "all"
    classes: tuple[str, ...] | None = None
    split: str = "grouped"
    validation: Share = 0.15
    test: Share = 0.15
    seed: int = Field(default=0, ge=0)
    validation_part: str = "validation"
    test_part: str = "test"
    select_on: Literal["validation", "test"] = "validation"
    masks: str | None = None
    colour: Colour = "none"
    hair: Hair = "keep"
    shorter_side: int | None = Field(default=512, ge=32)
    store: Asked = "auto"
    store_folder: str | None = None
    memory: Literal["auto", "host", "device"] = "auto"

    @field_validator("store", mode="before")
    @classmethod
    def _no_folder(cls, value: object) -> object:
        if value not in get_args(Asked):
            raise ValueError(
                f"{value!r} is no way to keep images; allowed: {', '.join(get_args(Asked))}. "
                "A folder belongs into data.store_folder"
            )
        return value
