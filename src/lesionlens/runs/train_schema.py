"""Schema of a recipe's section ``train``, and the base class of all sections."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lesionlens.core.types import Sampling
from lesionlens.data.sample_weights import WeightPolicy

PrecisionOption = Literal["auto", "fp32", "bf16"]
CompileOption = Literal["auto", "on", "off"]
MonitoredMetric = Literal["val_auc", "val_balanced_accuracy", "val_accuracy", "val_loss"]
PositiveWeight = Annotated[float, Field(gt=0)]
EpsilonPlacement = Literal["torch", "keras"]
RepeatCount = Annotated[int, Field(ge=1, le=1000)]
MAX_SEED = 1_000_000_000
_MAX_PROCESSES = 1024  # loader processes or threads


class ConfigSection(BaseModel):
    """Section of a recipe: immutable, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def find_subsections(section: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Return the keys of a section that are sections themselves, with their models."""
    annotations = {name: field.annotation for name, field in section.model_fields.items()}
    return {
        name: model
        for name, model in annotations.items()
        if isinstance(model, type) and issubclass(model, BaseModel)
    }


def _auto_or_at_least(minimum: int) -> BeforeValidator:
    """Return a validator that accepts ``auto`` or an integer, with one error message for both."""

    def validate(value: object) -> object:
        if value == "auto" or (type(value) is int and minimum <= value <= _MAX_PROCESSES):
            return value
        raise ValueError(f"use auto, or an integer from {minimum} to {_MAX_PROCESSES}")

    return BeforeValidator(
        validate,
        json_schema_input_type=Literal["auto"] | Annotated[int, Field(ge=minimum, le=_MAX_PROCESSES)],
    )


class LRSchedulerRecipe(ConfigSection):
    """Learning rate as a function of the epoch."""

    name: Literal["constant", "step", "cosine"] = Field(
        default="constant",
        description="Learning rate scheduler: `constant`, `step` (times `gamma` every `step_size` epochs), or "
        "`cosine` (to zero over all epochs).",
    )
    step_size: int = Field(
        default=30, ge=1, description="Number of epochs between steps of the `step` scheduler."
    )
    gamma: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Factor of the learning rate at each step of the `step` scheduler.",
    )
    first_step: int | None = Field(
        default=None, ge=1, description="Number of epochs before the first step; null: `step_size`."
    )


class EarlyStoppingRecipe(ConfigSection):
    """Early stopping, by default none."""

    patience: int | None = Field(
        default=None,
        ge=1,
        description="Number of epochs without improvement of `early_stopping.monitor` before early stopping; null: no "
        "early stopping.",
    )
    monitor: MonitoredMetric | None = Field(
        default=None, description="Validation metric for early stopping; null: `train.monitor`."
    )
    min_delta: float = Field(
        default=0.0,
        ge=0,
        description="Minimum change of `early_stopping.monitor` that counts as an improvement.",
    )


class TrainRecipe(ConfigSection):
    """Training: optimizer, learning rate, loss, sampling, and compute settings."""

    epochs: int = Field(default=30, ge=1, le=1_000_000, description="Number of epochs.")
    passes_per_epoch: float = Field(
        default=1.0,
        gt=0,
        le=1000,
        description="Passes over the training images per epoch; 1.6: all images once, and 60 % of them again.",
    )
    batch_size: int = Field(
        default=32,
        ge=1,
        le=1_000_000,
        description="Number of samples per batch: crops, or images of a model that takes all their crops.",
    )
    optimizer: Literal["sgd", "adam", "adamw"] = Field(default="sgd", description="Optimizer.")
    lr: float = Field(default=0.01, gt=0, description="Learning rate of the first epoch.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Momentum of SGD.")
    nesterov: bool = Field(default=False, description="Whether SGD uses Nesterov momentum.")
    weight_decay: float = Field(
        default=0.0, ge=0, description="Weight decay; not applied to learnable attention scales (α, γ)."
    )
    eps: float = Field(
        default=1e-8, gt=0, description="Term ε that is added to the denominator of Adam and AdamW."
    )
    epsilon_placement: EpsilonPlacement = Field(
        default="torch",
        description="Where Adam and AdamW add ε: to the bias-corrected denominator (`torch`), or before the bias "
        "correction (`keras`, also TensorFlow: ε̂ of Kingma and Ba 2015, section 2), which matters if ε is large.",
    )
    lr_scheduler: LRSchedulerRecipe = LRSchedulerRecipe()
    monitor: MonitoredMetric = Field(
        default="val_auc", description="Validation metric that selects the checkpoint."
    )
    checkpoint: Literal["best", "last"] = Field(
        default="best",
        description="Saved model: that of the epoch with the best `monitor`, or of the last epoch.",
    )
    early_stopping: EarlyStoppingRecipe = EarlyStoppingRecipe()
    loss: Literal["cross_entropy", "focal"] = Field(
        default="cross_entropy", description="Classification loss."
    )
    focal_gamma: float = Field(default=2.0, ge=0, description="Exponent γ of the focal loss.")
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Label smoothing ε of the cross-entropy in training, as in torch: the true class has the weight "
        "1 − ε, and ε is distributed evenly over all classes.",
    )
    mixup: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="Parameter α of mixup: each training image becomes a weighted mean with another one of its batch, "
        "with a weight sampled from Beta(α, α); the loss is the mean for both labels with these weights. 0: no mixup.",
    )
    class_weight_power: float | None = Field(
        default=None,
        ge=0,
        description="Exponent k of the class weights (N / N_i)^k in the loss, for N images of which N_i have class i; "
        "null: unweighted.",
    )
    class_weights: dict[str, PositiveWeight] = Field(
        default_factory=dict,
        description="Loss weight of each class by name, `{melanoma: 5}`, multiplied with those of "
        "`class_weight_power`; 1 for all other classes.",
    )
    confirmation_weights: WeightPolicy | None = Field(
        default=None,
        description="Classes whose images are weighted from 1 to 4 by how the diagnosis was confirmed (Gessert et al. "
        "2019): `benign` lesions, `nevus_only`, or `authors_all`; null: unweighted.",
    )
    loss_reduction: Literal["weight_sum", "batch_size"] = Field(
        default="weight_sum",
        description="Divisor of a weighted loss: the sum of the weights in the batch, or the number of its images.",
    )
    sampling: Sampling = Field(
        default="shuffle",
        description="Sampling of an epoch: `shuffle`; `oversample` (each class as often as the largest); `equal` "
        "(same number of samples, equal for all classes); `weighted` (random, all classes equally likely); "
        "`balanced` (classes alternate, so that each batch contains them in equal numbers).",
    )
    class_repeats: dict[str, RepeatCount] = Field(
        default_factory=dict,
        description="Number of repetitions of the images of a class before `sampling`, `{melanoma: 4}`; 1 for all "
        "other classes.",
    )
    precision: PrecisionOption = Field(
        default="auto",
        description="Precision of training and validation: `fp32`, `bf16` (autocast), or `auto`: `bf16` on CUDA "
        "GPUs that support it and on CPUs if timing the model shows that it is clearly faster; `fp32` in runs of "
        "fewer than 50 steps and for attention residual learning. Saved models are used in fp32.",
    )
    channels_last: bool = Field(
        default=True,
        description="Whether to use the channels-last memory format, which is faster on CPUs and on GPUs with tensor "
        "cores; results are equal up to rounding.",
    )
    compile: CompileOption = Field(
        default="auto",
        description="Whether attention residual learning runs as one compiled operation, which requires "
        "`channels_last`: `on`, `off`, or `auto` (in runs of 200 steps or more, if a compiler is installed); "
        "results are equal up to rounding.",
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=MAX_SEED,
        description="Random seed of initialization, sampling, crops, augmentation and dropout.",
    )
    num_workers: Annotated[int | Literal["auto"], _auto_or_at_least(0)] = Field(
        default="auto",
        description="Number of loader processes. `auto` times loading for one second before the first epoch and "
        "uses just enough processes; 0 if they would save less than 10 %, or in runs of fewer than 50 steps.",
    )
    num_threads: Annotated[int | Literal["auto"], _auto_or_at_least(1)] = Field(
        default="auto",
        description="Number of CPU threads. `auto`: number of available cores (CPU affinity, containers, "
        "`OMP_NUM_THREADS`).",
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        default="auto", description="Device for training; `auto`: a GPU if there is one."
    )

    @model_validator(mode="after")
    def _check_label_smoothing(self) -> "TrainRecipe":
        if self.label_smoothing and self.loss != "cross_entropy":
            raise ValueError(
                f"label_smoothing requires loss=cross_entropy, not {self.loss}; remove one of them"
            )
        return self

    def selects_on(self, split: str) -> bool:
        """Return whether a split selects the model: its best epoch, or the end of the training."""
        selects = self.checkpoint == "best" or self.early_stopping.patience is not None
        return split == "validation" and selects
