"""Recipe schema: all keys with their types, defaults and descriptions; unknown keys are rejected."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from lesionlens.core.types import RGBValues
from lesionlens.data.augmentation import Augmentation
from lesionlens.data.image_cache import CacheOption
from lesionlens.data.mask_degradation import SEVERITIES, MaskDegradation
from lesionlens.datasets.near_duplicates import NearDuplicates
from lesionlens.imaging.load import ColorConstancy
from lesionlens.imaging.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    PositiveRGBValues,
    SideLength,
)
from lesionlens.runs.crop_schema import CropRecipe
from lesionlens.runs.train_schema import MAX_SEED, ConfigSection, TrainRecipe

Fraction = Annotated[float, Field(ge=0, lt=1)]
InputSize = tuple[SideLength, SideLength]
InputNormalization = Literal["imagenet", "dataset", "unit", "minus_one_one"]
ImagesOnOption = Literal["auto", "host", "device"]

INPUT_NORMALIZATIONS: dict[InputNormalization, tuple[RGBValues, RGBValues]] = {
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "unit": ((0, 0, 0), (1, 1, 1)),  # values from 0 to 1
    "minus_one_one": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),  # values from -1 to 1
}


class DataRecipe(ConfigSection):
    """Dataset, task, splits, and decoding of the images."""

    source: str = Field(
        description="Dataset as `NAME:ROOT`, for example `ham10000:/data/ham10000`, or your own table as "
        "`table:my.csv`. `lesionlens data list` shows all names; `data=NAME:ROOT` is the short form."
    )
    extra_train: tuple[str, ...] = Field(
        default=(),
        description="More sources whose images are added to the training split, without images that `source` "
        "contains.",
    )
    max_images: int | None = Field(
        default=None,
        ge=1,
        description="Use only a random sample of so many images of each source, with as equal numbers per official "
        "split and class as possible, for quick trials; null: all images.",
    )
    within_root: bool = Field(
        default=False,
        description="Whether a table of `source` or `extra_train` that names a file outside its folder is an error, "
        "also if a link leads there; for tables of others.",
    )
    task: str = Field(
        default="all",
        description="Classes to predict: `all` classes of the dataset; one diagnosis against the rest, `melanoma`; "
        "one against another, `seborrheic_keratosis/nevus`; or several with independent scores (multi-label), "
        "`melanoma+seborrheic_keratosis`.",
    )
    classes: tuple[str, ...] | None = Field(
        default=None,
        description="Labels of a custom table if LesionLens does not know them as diagnoses; null: known diagnoses.",
    )
    split: str = Field(
        default="auto",
        description="Split: `auto` (`official` if the dataset has official splits, else `group_holdout`), "
        "`group_holdout` (stratified, all images of a lesion together), `official`, `group_kfold` (by lesion), "
        "`image_kfold`, `gessert2019`, `datta2021`, or the path of a CSV file with the columns `image_id,split`.",
    )
    near_duplicates: NearDuplicates = Field(
        default="separate",
        description="`merge`: lesions with duplicate or near-duplicate images are one lesion, so that no split "
        "separates them; official splits lose validation images with a copy in training. Every image is read once "
        "more. `separate`: lesions as the dataset states them.",
    )
    val_fraction: Fraction = Field(
        default=0.15,
        description="Fraction of the images in the validation split, if the split does not define it. 0 with "
        "`checkpoint_split: test` holds nothing out, and an official validation split is added to the training split.",
    )
    test_fraction: Fraction = Field(
        default=0.15, description="Fraction of the images in the test split, if the split does not define it."
    )
    calibration: Fraction = Field(
        default=0.0,
        description="Fraction of the training images in the calibration split, by lesion, if the split does not define "
        "it. These images neither train nor select the checkpoint, so that scores, prediction sets and thresholds can "
        "be calibrated on them. 0: calibrate on the validation split, without prediction sets.",
    )
    split_seed: int = Field(
        default=0,
        ge=0,
        le=MAX_SEED,
        description="Random seed of the split, which all runs of a recipe have in common.",
    )
    train_split_names: tuple[str, ...] = Field(
        default=("train",),
        description="Names of the training splits in a split file, for example `[cv1, cv2]`. The defaults of this key "
        "and the next two mean all usual spellings, such as `training`, `val` and `hold-out`. A split of "
        "another name is an error.",
    )
    val_split_name: str = Field(
        default="validation", description="Name of the validation split in a split file."
    )
    test_split_name: str = Field(default="test", description="Name of the test split in a split file.")
    checkpoint_split: Literal["validation", "test"] = Field(
        default="validation",
        description="Split that selects the checkpoint. `test` reproduces publications that did so; the test "
        "results are then optimistically biased.",
    )
    mask_dir: str | None = Field(
        default=None,
        description="Directory of lesion masks `ID*.png` that replace those of the dataset, as written by `lesionlens "
        "segment predict`; null: masks of the dataset.",
    )
    color_constancy: ColorConstancy = Field(default="none", description="Color constancy algorithm.")
    hair_removal: bool = Field(default=False, description="Whether to remove dark hairs from the images.")
    max_short_side: int | None = Field(
        default=512,
        ge=32,
        le=100_000,
        description="Length of the shorter side in pixels to which larger images are downsampled when they are "
        "decoded; null: full resolution.",
    )
    cache: CacheOption = Field(
        default="auto",
        description="Cache of decoded images: `memmap` (uncompressed, fastest), `jpeg` (quality 95, about a tenth "
        "of the space), `none` (decode at each use), or `auto` (an existing cache, else the first of these that "
        "takes at most half of the free disk space). `--cache` is the short form.",
    )
    cache_dir: str | None = Field(
        default=None,
        description="Directory of image caches; null: `LESIONLENS_CACHE`, else the user's cache directory.",
    )
    images_on: ImagesOnOption = Field(
        default="auto",
        description="Memory of the training images: `device` (GPU memory, where complete batches are cropped and "
        "augmented), `host`, or `auto` (a CUDA GPU whose free memory is at least twice their size, else `host`). "
        "Pixels differ by one or two gray levels between the two.",
    )

    @field_validator("cache", mode="before")
    @classmethod
    def _check_cache_option(cls, value: object) -> object:
        if value not in get_args(CacheOption):
            raise ValueError(
                f"{value!r} is not a cache format; allowed: {', '.join(get_args(CacheOption))}. "
                "Set a directory with data.cache_dir"
            )
        return value


class ModelRecipe(ConfigSection):
    """Model: either ``name`` from the zoo, or ``backbone`` and ``attention``."""

    name: str | None = Field(
        default=None,
        description="Name of a model in the zoo (`lesionlens models`). `model=NAME` is the short form.",
    )
    backbone: str | None = Field(default=None, description="Name of a timm model; replaces `name`.")
    attention: str | None = Field(
        default=None,
        description="Attention mechanism on the backbone: `none`, `arl`, `arl-stack`, `multi-stage`, `gate`, `ran`, "
        "`soft`, `patch`, or `patch+` and another one. Null: none.",
    )
    weights: str = Field(
        default="none",
        description="Pretrained weights of the backbone: `none`, `imagenet` (downloaded from the hub), or the path "
        "of a `.pth` or `.safetensors` file with timm's parameter names.",
    )
    kwargs: dict[str, Any] = Field(
        default_factory=dict,
        description="Keyword arguments of the attention mechanism and of the timm model, for example "
        "`{alpha: 0.01, normalization: channel}` or `{pad_type: same}`.",
    )
    input_size: Annotated[
        InputSize | None, BeforeValidator(lambda value: (value, value) if isinstance(value, int) else value)
    ] = Field(
        default=None,
        description="Height and width of the input in pixels, or one number for both; null: that of the model in the "
        "zoo, else 224.",
    )
    normalization: InputNormalization = Field(
        default="imagenet",
        description="Normalization of the input: `imagenet`, `dataset` (mean and standard deviation of the training "
        "images), `unit` (values from 0 to 1) or `minus_one_one` (values from -1 to 1).",
    )
    mean: RGBValues | None = Field(
        default=None,
        description="Mean of the input's channels on a scale from 0 to 1, with `std` in place of `normalization`.",
    )
    std: PositiveRGBValues | None = Field(
        default=None, description="Standard deviation of the input's channels on a scale from 0 to 1."
    )

    def mean_and_std(self) -> tuple[RGBValues, RGBValues] | None:
        """Return mean and standard deviation of the channels; None if they must be measured."""
        if self.mean is not None and self.std is not None:
            return self.mean, self.std
        return INPUT_NORMALIZATIONS.get(self.normalization)


class AttentionPriorRecipe(ConfigSection):
    """Dice loss between attention maps and masks (Yan 2020, section 2.4), for models with spatial attention maps.

    The keys are the four dimensions of Yan 2020, section 5.1: type, quantity, quality and position.
    """

    target: str = Field(
        default="none",
        description="Masks that attention should match: `none`, `lesion`, `dermoscopic` (union of all structures), "
        "`background` (complement of the lesion), `artifacts` (hair, rulers, ink: the directory `artifact_masks` of "
        "the dataset), or a directory of masks `ID*.png`. Images without a mask do not contribute. "
        "`attention_prior=TARGET` is the short form.",
    )
    weight: dict[str, float] = Field(
        default_factory=dict,
        description="Loss weight λ of each attention map by name, `{pool3: 0.001, pool4: 0.01}`; maps without a "
        "name here have no prior. Empty: 0.01 for the last map of the model and 0.001 for the others.",
    )
    mask_fraction: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Fraction of the training images with a mask whose mask is used, sampled by lesion; 0: no prior.",
    )
    mask_degradation: MaskDegradation = Field(
        default="exact",
        description="Degradation of the masks; `mismatched` uses the mask of another lesion.",
    )
    severity: float | None = Field(
        default=None,
        description="Severity of the degradation, in the unit that [Attention priors](attention-priors.md) lists; "
        "null: its default.",
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=MAX_SEED,
        description="Random seed of the mask selection and the degradation, independent of `train.seed`.",
    )

    @property
    def is_enabled(self) -> bool:
        """Whether any image has a prior."""
        return self.target != "none" and self.mask_fraction > 0

    @model_validator(mode="after")
    def _check_consistency(self) -> "AttentionPriorRecipe":
        degradation, severity = self.mask_degradation, self.severity
        if self.target == "none" and (degradation != "exact" or self.mask_fraction != 1):
            raise ValueError(
                "mask_fraction and mask_degradation require masks, but target is none; set target=lesion"
            )
        if severity is None:
            return self
        allowed = SEVERITIES.get(degradation)
        if allowed is None:
            raise ValueError(
                f"mask_degradation={degradation} has no severity; remove it, or use one of {', '.join(SEVERITIES)}"
            )
        if not allowed.min <= severity <= allowed.max:
            raise ValueError(
                f"severity={severity:g} of mask_degradation={degradation} is {allowed.unit}: allowed are "
                f"{allowed.min:g} to {allowed.max:g}, default {allowed.default:g}"
            )
        if degradation == "polygon" and severity % 1:
            raise ValueError(
                f"severity={severity:g} of mask_degradation=polygon is the number of corners; use an integer"
            )
        return self


def _shorthand(key: str) -> BeforeValidator:
    """Return a validator that accepts the value of a section's essential key for the section: ``data=NAME:ROOT``."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


class Recipe(ConfigSection):
    """All settings of a run."""

    data: Annotated[DataRecipe, _shorthand("source")]
    model: Annotated[ModelRecipe, _shorthand("name")]
    crops: CropRecipe = CropRecipe()
    augment: Annotated[Augmentation, _shorthand("preset")] = Augmentation()
    attention_prior: Annotated[AttentionPriorRecipe, _shorthand("target")] = AttentionPriorRecipe()
    train: TrainRecipe = TrainRecipe()
    num_repeats: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Number of runs with the seeds `train.seed`, `train.seed + 1` and so on, each in a "
        "subdirectory; the split stays the same.",
    )
    n_folds: int | None = Field(
        default=None,
        ge=2,
        le=1000,
        description="Number of folds of a k-fold split; null: not a k-fold split.",
    )
    fold: int | None = Field(
        default=None,
        ge=0,
        description="Index of the test fold, from 0; null: all folds in turn, each in a subdirectory.",
    )

    @model_validator(mode="after")
    def _check_mixup(self) -> "Recipe":
        if self.train.mixup and self.attention_prior.target != "none":
            raise ValueError(
                "train.mixup mixes images, whose masks do not fit any more; remove attention_prior or mixup"
            )
        return self

    @model_validator(mode="after")
    def _check_consistency(self) -> "Recipe":
        if (self.model.name is None) == (self.model.backbone is None):
            raise ValueError("model: set either name (of the zoo) or backbone")
        if (self.model.mean is None) != (self.model.std is None):
            raise ValueError("model: mean and std belong together; set both, or use model.normalization")
        if self.data.val_fraction + self.data.test_fraction >= 1:
            raise ValueError(
                "data: val_fraction and test_fraction must sum to less than 1 to leave training images"
            )
        if self.data.val_fraction == 0 and self.data.checkpoint_split == "validation":
            raise ValueError("data.val_fraction: 0 leaves no validation images to select a checkpoint")
        if self.fold is not None and self.n_folds is None:
            raise ValueError(f"fold: {self.fold} requires n_folds, for example n_folds=3")
        if self.fold is not None and self.n_folds is not None and self.fold >= self.n_folds:
            raise ValueError(
                f"fold: {self.fold} is not below n_folds={self.n_folds}; folds are numbered from 0"
            )
        return self
