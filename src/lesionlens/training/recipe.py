"""A run as one flat YAML: five sections of keys, unknown ones refused, each with its default."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lesionlens.crops.strategies import CropName, strategy
from lesionlens.data.balance import Sampling
from lesionlens.data.transforms import Augmentation
from lesionlens.errors import RecipeError
from lesionlens.preprocessing import IMAGENET_MEAN, IMAGENET_STD

Size = tuple[int, int]
Share = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """Frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataRecipe(Section):
    """Which images.

    Attributes
    ----------
    source
        ``NAME:ROOT``, for example ``ham10000:/data/ham10000``, or ``table:my.csv``.
    task
        ``all``: every class of the data set; or one diagnosis against the rest, for example ``melanoma``.
    classes
        Labels of one's own table, where they are none of the field's.
    split
        ``official``, ``grouped`` (by lesion), or the path of a CSV ``image_id,part``.
    validation, test
        Shares that ``grouped`` holds out (and ``official``, where the data set has no validation part).
    validation_part, test_part
        Names of the parts in a split file; all others train.
    shorter_side
        Larger images are brought down to this when they are decoded (once, into the store); null keeps all.
    store
        Folder of decoded images; null: the user's cache folder.
    """

    source: str
    task: str = "all"
    classes: tuple[str, ...] | None = None
    split: str = "grouped"
    validation: Share = 0.15
    test: Share = 0.15
    validation_part: str = "validation"
    test_part: str = "test"
    shorter_side: int | None = Field(default=512, ge=32)
    store: str | None = None


class ModelRecipe(Section):
    """Which network: ``name`` of the zoo, or ``backbone`` and ``attention``.

    Attributes
    ----------
    weights
        ``none``, ``imagenet`` (from the hub) or the path of a file.
    options
        Of the mechanism and of the timm model, for example ``{pad_type: same}``.
    input_size
        Height and width in pixels, or one number; null: what the name of the zoo has, else 224.
    mean, std
        Of the input's channels, on values from 0 to 1.
    """

    name: str | None = None
    backbone: str | None = None
    attention: str | None = None
    weights: str = "none"
    options: dict[str, Any] = Field(default_factory=dict)
    input_size: Annotated[Size | None, BeforeValidator(lambda v: (v, v) if isinstance(v, int) else v)] = None
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


class CropRecipe(Section):
    """Which parts of an image: a strategy and a number for training and for test time.

    A network that takes all crops of an image at once sets them itself: they need not be given.
    """

    train: CropName = "whole"
    train_count: int = Field(default=1, ge=1)
    test: CropName = "whole"
    test_count: int = Field(default=1, ge=1)

    def for_network(self, crops: int | None, *, fixed: bool = True) -> "CropRecipe":
        """Give the crops for a network that takes ``crops`` of each image at once, or images (None).

        Where its crops have no fixed places, because it only averages them, random ones may train it.

        Raises
        ------
        RecipeError
            The network needs other crops than were asked for, or a strategy does not give so many.
        """
        found = self if crops is None else self._ordered(crops, random=self.train == "random" and not fixed)
        for name, count in ((found.train, found.train_count), (found.test, found.test_count)):
            strategy(name, count)
        return found

    def _ordered(self, count: int, *, random: bool) -> "CropRecipe":
        """Put ordered crops in place of defaults; anything else that was asked for is a contradiction."""
        strategy("ordered", count)
        train = ("random", self.train_count) if random else ("ordered", count)
        needed = {"train": train[0], "train_count": train[1], "test": "ordered", "test_count": count}
        default, asked = CropRecipe().model_dump(), self.model_dump()
        against = [
            f"crops.{key}={asked[key]}" for key in needed if asked[key] not in {default[key], needed[key]}
        ]
        if against:
            raise RecipeError(
                f"the network takes {count} ordered crops of each image at once, but the recipe says "
                f"{' '.join(against)}. Leave the crops section out; for another number of crops give it to the "
                "network, for example model.options.crops=16"
            )
        return CropRecipe.model_validate(needed)


class TrainRecipe(Section):
    """How it learns.

    Attributes
    ----------
    epsilon
        What Adam adds to its denominator.
    schedule, step, factor
        ``constant``; ``step``: times ``factor`` every ``step`` epochs; ``cosine``: to zero over all epochs.
    monitor, patience
        The validation metric that chooses the checkpoint; epochs without a better one before stopping, null: never.
    class_weight_power
        Weights ``(N / N_i) ** power`` in the loss; null: none.
    sampling
        ``shuffle``, ``oversample`` or ``balanced``.
    precision
        ``fp32`` or ``bf16`` (autocast).
    threads
        CPU threads; null leaves torch's own choice.
    """

    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=32, ge=1)
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = Field(default=0.01, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(default=0.0, ge=0)
    epsilon: float = Field(default=1e-8, gt=0)
    schedule: Literal["constant", "step", "cosine"] = "constant"
    step: int = Field(default=30, ge=1)
    factor: float = Field(default=0.5, gt=0, le=1)
    monitor: Literal["val_auc", "val_balanced_accuracy", "val_loss"] = "val_auc"
    patience: int | None = Field(default=None, ge=1)
    class_weight_power: float | None = Field(default=None, ge=0)
    sampling: Sampling = "shuffle"
    precision: Literal["fp32", "bf16"] = "fp32"
    channels_last: bool = False
    seed: int = Field(default=0, ge=0)
    workers: int = Field(default=0, ge=0)
    threads: int | None = Field(default=None, ge=1)
    device: Literal["auto", "cpu", "gpu"] = "auto"


def _short(key: str) -> BeforeValidator:
    """Let a section be given as its one essential key: ``data=NAME:ROOT``."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


class Recipe(Section):
    """Everything that a run depends on."""

    data: Annotated[DataRecipe, _short("source")]
    model: Annotated[ModelRecipe, _short("name")]
    crops: CropRecipe = CropRecipe()
    augment: Augmentation = Augmentation()
    train: TrainRecipe = TrainRecipe()

    @model_validator(mode="after")
    def _sensible(self) -> "Recipe":
        if (self.model.name is None) == (self.model.backbone is None):
            raise ValueError("model: give either name (of the zoo) or backbone")
        if self.data.validation + self.data.test >= 1:
            raise ValueError("data: validation and test together leave nothing to train on")
        if self.data.validation == 0:
            raise ValueError("data.validation: 0 leaves nothing to choose a checkpoint with")
        return self
