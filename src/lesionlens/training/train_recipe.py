"""The section ``train``: how a network learns."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from lesionlens.data.balance import Sampling
from lesionlens.data.confirmation import WeightPolicy
from lesionlens.training.section import ConfigSection

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
        The validation metric that chooses the checkpoint, or ``keep: last``.
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
        What a weighted loss is divided by: the sum of ``weights`` in the batch, or the number of ``images``.
    sampling, class_repeats
        ``shuffle``, ``oversample``, ``weighted``, ``balanced`` or ``even``; before that, how often the images of a
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
    loss_reduction: Literal["weights", "images"] = "weights"
    sampling: Sampling = "shuffle"
    class_repeats: dict[str, RepeatCount] = Field(default_factory=dict)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    channels_last: bool = True
    compile: Annotated[Literal["auto", "on", "off"], BeforeValidator(_normalize_on_off)] = "auto"
    seed: int = Field(default=0, ge=0)
    num_workers: Annotated[int | Literal["auto"], _auto_or_at_least(0)] = "auto"
    num_threads: Annotated[int | Literal["auto"], _auto_or_at_least(1)] = "auto"
    device: Literal["auto", "cpu", "gpu"] = "auto"
