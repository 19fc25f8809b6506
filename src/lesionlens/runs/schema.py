"""A run as one YAML: sections of keys, unknown ones refused, each with its default."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from lesionlens.core.errors import RecipeError
from lesionlens.core.types import RGBValues
from lesionlens.data.augmentation import Augmentation
from lesionlens.data.image_cache import CacheOption
from lesionlens.data.mask_degradation import SEVERITIES, MaskDegradation
from lesionlens.data.sample_weights import WeightPolicy
from lesionlens.data.sampler import Sampling
from lesionlens.imaging.crops import CropName, make_crop_strategy
from lesionlens.imaging.load import ColorConstancy
from lesionlens.imaging.preprocessing import IMAGENET_MEAN, IMAGENET_STD, TTA, Aggregation


class ConfigSection(BaseModel):
    """Frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CropRecipe(ConfigSection):
    """Which parts of an image: a strategy and a number for training and for test time.

    A network that takes all crops of an image at once sets them itself: they need not be given.

    Attributes
    ----------
    tta
        At test time each crop is also seen ``flips`` (4 ways) or in all eight orientations (``dihedral``).
    tta_average
        What is averaged over crops and their orientations: ``probabilities`` or ``logits``.
    roi_margin
        Cut each image first to the box around its lesion mask, widened by this share of its sides; null: do not.
    """

    train: CropName = "full"
    train_count: int = Field(default=1, ge=1)
    test: CropName = "full"
    test_count: int = Field(default=1, ge=1)
    tta: TTA = "none"
    tta_average: Aggregation = "probabilities"
    roi_margin: float | None = Field(default=None, ge=0, le=2)

    def for_model(self, num_crops: int | None, *, fixed_positions: bool = True) -> "CropRecipe":
        """Give the crops for a network that takes ``num_crops`` of each image at once, or images (None).

        Where its crops have no fixed places, because it only averages them, random ones may train it.

        Raises
        ------
        RecipeError
            The network needs other crops than were asked for, or a strategy does not give so many.
        """
        found = (
            self
            if num_crops is None
            else self._with_grid_crops(
                num_crops, random_training=self.train == "random-square" and not fixed_positions
            )
        )
        for name, count in ((found.train, found.train_count), (found.test, found.test_count)):
            make_crop_strategy(name, count)
        return found

    def _with_grid_crops(self, count: int, *, random_training: bool) -> "CropRecipe":
        """Put grid crops in place of defaults; anything else that was asked for is a contradiction."""
        make_crop_strategy("grid", count)
        train = ("random-square", self.train_count) if random_training else ("grid", count)
        needed = {"train": train[0], "train_count": train[1], "test": "grid", "test_count": count}
        default, asked = CropRecipe().model_dump(), self.model_dump()
        against = [
            f"crops.{key}={asked[key]}" for key in needed if asked[key] not in {default[key], needed[key]}
        ]
        if against:
            raise RecipeError(
                f"the network takes {count} grid crops of each image at once, but the recipe says "
                f"{' '.join(against)}. Leave the crops section out; for another number of crops give it to the "
                "network, for example model.kwargs.crops=16"
            )
        return self.model_copy(update=needed)


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
        ``official``, ``group_holdout`` (by lesion), ``group_kfold``, ``image_kfold``, ``gessert2019``, ``datta2021``,
        or the path of a CSV ``image_id,split``.
    val_fraction, test_fraction
        Shares that a split holds out, where it does not say them itself; ``val_fraction: 0`` with
        ``checkpoint_split: test`` holds nothing out, and an official validation part trains too.
    split_seed
        Of what a split draws: the same for all runs of a recipe.
    val_split_name, test_split_name
        Names of the parts in a split file; all others train.
    checkpoint_split
        The part that chooses the checkpoint: ``test`` only to do as some authors did.
    mask_dir
        Folder of lesion masks ``ID*.png`` in place of the data set's own, as ``lesionlens segment predict`` writes.
    color_constancy
        Colour constancy: ``none``, ``gray-world`` or ``shades-of-gray``.
    hair_removal
        Whether dark hairs are painted over.
    max_short_side
        Larger images are brought down to this when they are decoded (once, into the cache); null keeps all.
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
    split: str = "group_holdout"
    val_fraction: Fraction = 0.15
    test_fraction: Fraction = 0.15
    split_seed: int = Field(default=0, ge=0)
    val_split_name: str = "validation"
    test_split_name: str = "test"
    checkpoint_split: Literal["validation", "test"] = "validation"
    mask_dir: str | None = None
    color_constancy: ColorConstancy = "none"
    hair_removal: bool = False
    max_short_side: int | None = Field(default=512, ge=32)
    cache: CacheOption = "auto"
    cache_dir: str | None = None
    images_on: Literal["auto", "host", "device"] = "auto"

    @field_validator("cache", mode="before")
    @classmethod
    def _check_cache_option(cls, value: object) -> object:
        if value not in get_args(CacheOption):
            raise ValueError(
                f"{value!r} is no way to keep images; allowed: {', '.join(get_args(CacheOption))}. "
                "A folder belongs into data.cache_dir"
            )
        return value


InputSize = tuple[int, int]
InputNormalization = Literal["imagenet", "dataset", "unit", "minus_one_one"]

INPUT_NORMALIZATIONS: dict[InputNormalization, tuple[RGBValues, RGBValues]] = {
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "unit": ((0, 0, 0), (1, 1, 1)),  # values from 0 to 1
    "minus_one_one": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),  # values from -1 to 1
}


class ModelRecipe(ConfigSection):
    """Which network: ``name`` of the zoo, or ``backbone`` and ``attention``.

    Attributes
    ----------
    weights
        ``none``, ``imagenet`` (from the hub) or the path of a file.
    kwargs
        Of the mechanism and of the timm model, for example ``{pad_type: same}``.
    input_size
        Height and width in pixels, or one number; null: what the name of the zoo has, else 224.
    normalization
        ``imagenet``, ``dataset`` (measured on the training images), ``unit`` (values from 0 to 1) or
        ``minus_one_one`` (-1 to 1).
    mean, std
        Of the input's channels, on values from 0 to 1, in place of ``normalization``; give both.
    """

    name: str | None = None
    backbone: str | None = None
    attention: str | None = None
    weights: str = "none"
    kwargs: dict[str, Any] = Field(default_factory=dict)
    input_size: Annotated[
        InputSize | None, BeforeValidator(lambda v: (v, v) if isinstance(v, int) else v)
    ] = None
    normalization: InputNormalization = "imagenet"
    mean: RGBValues | None = None
    std: RGBValues | None = None

    def mean_and_std(self) -> tuple[RGBValues, RGBValues] | None:
        """Give mean and standard deviation; None where they are to be measured."""
        if self.mean is not None and self.std is not None:
            return self.mean, self.std
        return INPUT_NORMALIZATIONS.get(self.normalization)


class AttentionPriorRecipe(ConfigSection):
    """A Dice term that draws attention maps towards masks (Yan 2020, section 2.4); any network with maps of places.

    Its keys are the four dimensions of Yan 2020, section 5.1: type, quantity, quality and place.

    Attributes
    ----------
    target
        ``none``; ``lesion``; ``dermoscopic`` (all structures together); ``background`` (all but the lesion);
        ``artifacts`` (hair, rulers, ink: masks of the data set's folder ``artifact_masks``); or a folder of masks
        ``ID*.png``. Images without a mask do not count.
    weight
        Lambda of each map by name, ``{pool3: 0.001, pool4: 0.01}``, the others have no prior; empty: 0.001 for the
        earlier and 0.01 for the last of a network's maps.
    mask_fraction
        Of the training images that have a mask, how many keep it; 0 is as no masks.
    mask_degradation
        ``exact``, or made worse: ``eroded``, ``dilated``, ``polygon``, ``bounding_box``, ``circle``, ``shifted``,
        ``jittered_contour``, or ``mismatched`` (the mask of another lesion).
    severity
        How much worse: see ``mask_degradation.SEVERITIES``; null: the usual.
    seed
        Which images keep their mask, and all that is drawn for a degradation; runs of several ``train.seed`` share it.
    """

    target: str = "none"
    weight: dict[str, float] = Field(default_factory=dict)
    mask_fraction: float = Field(default=1.0, ge=0, le=1)
    mask_degradation: MaskDegradation = "exact"
    severity: float | None = None
    seed: int = Field(default=0, ge=0)

    @property
    def is_enabled(self) -> bool:
        """Whether any image has a prior."""
        return self.target != "none" and self.mask_fraction > 0

    @model_validator(mode="after")
    def _check_consistency(self) -> "AttentionPriorRecipe":
        if self.target == "none" and (self.mask_degradation != "exact" or self.mask_fraction != 1):
            raise ValueError(
                "mask_fraction and mask_degradation are of masks, and target is none; give target=lesion"
            )
        if self.severity is None:
            return self
        allowed = SEVERITIES.get(self.mask_degradation)
        if allowed is None:
            raise ValueError(
                f"mask_degradation={self.mask_degradation} has no severity; leave it out, or give one of "
                f"{', '.join(SEVERITIES)}"
            )
        if not allowed.min <= self.severity <= allowed.max:
            raise ValueError(
                f"severity={self.severity:g} of mask_degradation={self.mask_degradation} is {allowed.unit}: "
                f"{allowed.min:g} to {allowed.max:g} is allowed, usual is {allowed.default:g}"
            )
        if self.mask_degradation == "polygon" and self.severity % 1:
            raise ValueError(
                f"severity={self.severity:g} of mask_degradation=polygon is the number of corners; give a whole one"
            )
        return self


MonitoredMetric = Literal["val_auc", "val_balanced_accuracy", "val_accuracy", "val_loss"]
PositiveWeight = Annotated[float, Field(gt=0)]
RepeatCount = Annotated[int, Field(ge=1)]


def _auto_or_at_least(minimum: int) -> BeforeValidator:
    """Refuse in one sentence what is neither ``auto`` nor a count."""

    def checked(value: object) -> object:
        if value == "auto" or (type(value) is int and value >= minimum):
            return value
        raise ValueError(f"give auto, or a whole number from {minimum}")

    return BeforeValidator(checked)


def _normalize_on_off(value: object) -> object:
    """Undo what YAML makes of on and off."""
    return ("off", "on")[value] if isinstance(value, bool) else value


class TrainRecipe(ConfigSection):
    """How it learns.

    Attributes
    ----------
    epochs, passes_per_epoch
        Epochs, and how often an epoch visits the training images (1.6: once and then 60 % of them).
    eps
        What Adam adds to its denominator.
    schedule, step, factor, first_step
        ``constant``; ``step``: times ``factor`` every ``step`` epochs, the first time after ``first_step`` (null:
        ``step``); ``cosine``: to zero over all epochs.
    monitor, checkpoint
        The validation metric that chooses the checkpoint, or ``checkpoint: last``.
    patience, stop_on, min_delta
        Epochs without a better value of ``stop_on`` (null: ``monitor``), by more than ``min_delta``, before stopping;
        patience null: never.
    loss, focal_gamma
        ``cross_entropy``, or ``focal`` with this exponent.
    class_weight_power
        Weights ``(N / N_i) ** power`` in the loss; null: none.
    class_weights
        Weight of each class in the loss, above 0; 1 where it is not named.
    confirmation_weights
        Weights 1 to 4 by how each diagnosis was made (Gessert et al. 2019): of ``benign`` lesions, of ``nevus_only``,
        or of ``authors_all``.
    loss_reduction
        What a weighted loss is divided by: the sum of the weights in the batch (``weight_sum``), or its
        number of images (``batch_size``).
    sampling, class_repeats
        ``shuffle``, ``oversample``, ``weighted``, ``balanced`` or ``equal``; before that, how often the images of a
        class are in the list: ``{melanoma: 4}``.
    precision
        ``fp32`` or ``bf16`` (autocast); ``auto``: bf16 where a short measurement on the device shows it clearly faster,
        but for attention residual learning.
    channels_last
        Keep each place's channels together in memory, which is faster on CPUs and on cards with tensor cores.
    compile
        Compile attention residual learning's operation, ``on`` (plain without ``channels_last``) or ``off``; ``auto``:
        in runs of 200 steps or more, where there is a compiler.
    num_workers
        Processes that load batches; ``auto``: measured for a second before the first epoch, unless the run has fewer
        than 50 steps.
    num_threads
        CPU threads; ``auto``: as many as cores may be used (affinity, containers, OMP_NUM_THREADS).
    """

    epochs: int = Field(default=30, ge=1)
    passes_per_epoch: float = Field(default=1.0, gt=0)
    batch_size: int = Field(default=32, ge=1)
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = Field(default=0.01, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(default=0.0, ge=0)
    eps: float = Field(default=1e-8, gt=0)
    schedule: Literal["constant", "step", "cosine"] = "constant"
    step: int = Field(default=30, ge=1)
    factor: float = Field(default=0.5, gt=0, le=1)
    first_step: int | None = Field(default=None, ge=1)
    monitor: MonitoredMetric = "val_auc"
    checkpoint: Literal["best", "last"] = "best"
    patience: int | None = Field(default=None, ge=1)
    stop_on: MonitoredMetric | None = None
    min_delta: float = Field(default=0.0, ge=0)
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    focal_gamma: float = Field(default=2.0, ge=0)
    class_weight_power: float | None = Field(default=None, ge=0)
    class_weights: dict[str, PositiveWeight] = Field(default_factory=dict)
    confirmation_weights: WeightPolicy | None = None
    loss_reduction: Literal["weight_sum", "batch_size"] = "weight_sum"
    sampling: Sampling = "shuffle"
    class_repeats: dict[str, RepeatCount] = Field(default_factory=dict)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    channels_last: bool = True
    compile: Annotated[Literal["auto", "on", "off"], BeforeValidator(_normalize_on_off)] = "auto"
    seed: int = Field(default=0, ge=0)
    num_workers: Annotated[int | Literal["auto"], _auto_or_at_least(0)] = "auto"
    num_threads: Annotated[int | Literal["auto"], _auto_or_at_least(1)] = "auto"
    device: Literal["auto", "cpu", "gpu"] = "auto"


def _shorthand(key: str) -> BeforeValidator:
    """Let a section be given as its one essential key: ``data=NAME:ROOT``."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


class Recipe(ConfigSection):
    """Everything that a run depends on.

    Attributes
    ----------
    num_repeats
        How often it is run, with the seeds ``train.seed`` and those that follow, each in a folder of its own.
    n_folds, fold
        How many folds a split in folds has, and the one that counts, from 0; null: each in turn, each in a folder of
        its own.
    """

    data: Annotated[DataRecipe, _shorthand("source")]
    model: Annotated[ModelRecipe, _shorthand("name")]
    crops: CropRecipe = CropRecipe()
    augment: Annotated[Augmentation, _shorthand("preset")] = Augmentation()
    attention_prior: Annotated[AttentionPriorRecipe, _shorthand("target")] = AttentionPriorRecipe()
    train: TrainRecipe = TrainRecipe()
    num_repeats: int = Field(default=1, ge=1)
    n_folds: int | None = Field(default=None, ge=2)
    fold: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _check_consistency(self) -> "Recipe":
        if (self.model.name is None) == (self.model.backbone is None):
            raise ValueError("model: give either name (of the zoo) or backbone")
        if (self.model.mean is None) != (self.model.std is None):
            raise ValueError("model: mean and std belong together; give both, or model.normalization")
        if self.data.val_fraction + self.data.test_fraction >= 1:
            raise ValueError("data: val_fraction and test_fraction together leave nothing to train on")
        if self.data.val_fraction == 0 and self.data.checkpoint_split == "validation":
            raise ValueError("data.val_fraction: 0 leaves nothing to choose a checkpoint with")
        if self.fold is not None and self.n_folds is None:
            raise ValueError(f"fold: {self.fold} of how many? Give n_folds too, for example n_folds=3")
        if self.fold is not None and self.n_folds is not None and self.fold >= self.n_folds:
            raise ValueError(f"fold: {self.fold} is none of n_folds={self.n_folds}; folds count from 0")
        return self
