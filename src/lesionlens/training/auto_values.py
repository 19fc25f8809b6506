"""Settings that a recipe may leave to ``auto``: one record per run, filled in the order in which values become known.

1. ``device`` and ``num_threads``: from the machine, when the recipe is resolved.
2. ``precision`` and ``compile``: from the device, the model and the number of steps, before images are decoded; on a
   CPU, bf16 is timed.
3. ``cache``: from the free disk space and a sample of image sizes, when the image cache is opened.
4. ``images_on``: from the size of the decoded images and the free GPU memory.
5. ``num_workers``: from the timings of loading and of a training step.

The complete record is saved in the run's ``metadata.json``; a resumed run uses the saved values and measures nothing.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import torch
from pydantic import ValidationError

from lesionlens.core.errors import RunError
from lesionlens.core.runtime import available_cpus, default_num_threads
from lesionlens.data.datamodule import LesionDataModule
from lesionlens.data.dataset import SplitData, TrainDataset
from lesionlens.data.gpu_datamodule import fits_in_gpu_memory
from lesionlens.data.image_cache import CacheOption
from lesionlens.imaging.masks import ImageSize
from lesionlens.models.spec import ModelSpec
from lesionlens.runs.schema import ImagesOnOption, Recipe
from lesionlens.runs.train_schema import CompileOption, PrecisionOption, TrainRecipe
from lesionlens.training.autotune import MIN_STEPS_TO_TUNE, choose_compile, choose_precision, choose_workers
from lesionlens.training.loader_benchmark import measure_step_timings
from lesionlens.training.module import ClassificationModule

# recipe key -> field of the record, in the order of metadata.json; the device is that of the machine that computes
AUTO_KEYS = {
    "data.cache": "cache",
    "data.images_on": "images_on",
    "train.num_workers": "num_workers",
    "train.num_threads": "num_threads",
    "train.precision": "precision",
    "train.compile": "compile",
}


class AutoValues(NamedTuple):
    """Settings of a run that depend on the machine; ``"auto"`` until they are known.

    Attributes
    ----------
    device
        Device that trains the model.
    num_threads
        Number of CPU threads.
    cache
        Format of the image cache.
    precision
        ``fp32``, or ``bf16`` autocast.
    compile
        ``on`` if attention residual learning runs as a compiled operation, else ``off``.
    images_on
        Memory that holds the training images: ``host`` or ``device``.
    num_workers
        Number of loader processes.
    """

    device: torch.device
    num_threads: int
    cache: CacheOption
    precision: PrecisionOption
    compile: CompileOption
    images_on: ImagesOnOption
    num_workers: int | Literal["auto"]

    @classmethod
    def from_recipe(cls, recipe: Recipe, saved: Mapping[str, Any] | None = None) -> "AutoValues":
        """Return the values of a recipe, with its device and number of threads resolved.

        Parameters
        ----------
        recipe
            Recipe with or without ``auto``.
        saved
            Values of ``metadata.json`` by recipe key, which replace those of the recipe; None for a new run.

        Raises
        ------
        RunError
            A saved value is not one of its key.
        """
        data, train = recipe.data, recipe.train
        values = cls(
            device=resolve_training_device(train),
            num_threads=default_num_threads() if train.num_threads == "auto" else train.num_threads,
            cache=data.cache,
            precision=train.precision,
            compile=train.compile,
            images_on=data.images_on,
            num_workers=train.num_workers,
        )
        _check_saved(recipe, saved or {})
        return values._replace(**{AUTO_KEYS[key]: value for key, value in (saved or {}).items()})

    def to_metadata(self) -> dict[str, Any]:
        """Return the values by recipe key, for ``metadata.json``."""
        return {key: getattr(self, name) for key, name in AUTO_KEYS.items()}

    def summary(self) -> str:
        """Describe the values on one line.

        Examples
        --------
        >>> recipe = {"data": {"source": "table:my.csv"}, "model": {"name": "resnet14"}, "train": {"num_threads": 2}}
        >>> values = AutoValues.from_recipe(Recipe.model_validate(recipe))._replace(device=torch.device("cpu"))
        >>> values.summary()
        'computing on cpu: precision auto, compile auto, num_threads 2, num_workers auto'
        """
        names = ("precision", "compile", "num_threads", "num_workers")
        return (
            f"computing on {self.device.type}: {', '.join(f'{name} {getattr(self, name)}' for name in names)}"
        )


def _check_saved(recipe: Recipe, saved: Mapping[str, Any]) -> None:
    """Raise an error unless every saved value is allowed for its key."""
    raw = recipe.model_dump()
    try:
        for key, value in saved.items():
            section, _, name = key.partition(".")
            raw[section][name if key in AUTO_KEYS else key] = value
        Recipe.model_validate(raw)
    except (ValidationError, AttributeError, KeyError, TypeError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise RunError(
            f"auto_values in the run's metadata.json are not valid: {reason}. Restore the file, or start a new run"
        ) from error


def resolve_training_device(config: TrainRecipe) -> torch.device:
    """Return the device for training: the current CUDA GPU, else Apple's GPU, else the CPU."""
    if config.device != "cpu" and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    use_mps = config.device != "cpu" and torch.backends.mps.is_available()
    return torch.device("mps" if use_mps else "cpu")


def settle_precision(
    values: AutoValues, architecture: ModelSpec, size: ImageSize, *, num_steps: int, channels_last: bool
) -> AutoValues:
    """Choose ``precision`` and ``compile`` if they are ``auto``.

    Attention residual learning always trains in fp32: what its masks add to a value is mostly lost in bf16.

    Parameters
    ----------
    values
        Record with the device.
    architecture
        Model to train.
    size
        Height and width of its input in pixels.
    num_steps
        Number of training steps of the complete run.
    channels_last
        Whether the model uses the channels-last memory format, which the compiled operation requires.
    """
    if values.precision == "auto":
        if architecture.uses_arl:
            values = values._replace(precision="fp32")
        else:
            precision = choose_precision(architecture, size, values.device, steps=num_steps)
            values = values._replace(precision=precision)
    if values.compile == "auto":
        can_compile = architecture.has_arl_blocks and channels_last
        is_worth_it = can_compile and choose_compile(values.device, steps=num_steps)
        values = values._replace(compile="on" if is_worth_it else "off")
    return values


def settle_images_on(values: AutoValues, split_data: SplitData) -> AutoValues:
    """Choose the memory of the training images if it is ``auto``: a CUDA GPU that has space, else the host."""
    if values.images_on == "auto":
        fits = fits_in_gpu_memory(split_data, values.device)
        values = values._replace(images_on="device" if fits else "host")
    return values


def settle_num_workers(
    values: AutoValues, datamodule: LesionDataModule[TrainDataset], module: ClassificationModule
) -> AutoValues:
    """Apply ``num_threads``, then choose ``num_workers`` if it is ``auto``, and configure the data loaders.

    Loading and a training step are timed for about a second, unless the run has fewer than 50 steps.
    """
    torch.set_num_threads(values.num_threads)
    on_cpu = values.device.type == "cpu"
    datamodule.num_threads, datamodule.num_workers = values.num_threads, 0
    datamodule.pin_memory = values.device.type == "cuda"
    if values.num_workers == "auto":
        num_workers = 0
        if module.recipe.epochs * len(datamodule.train_dataloader()) >= MIN_STEPS_TO_TUNE:
            timings = measure_step_timings(datamodule, module, values.device, bf16=values.precision == "bf16")
            num_workers = choose_workers(timings, available_cpus(), on_cpu=on_cpu)
        values = values._replace(num_workers=num_workers)
    assert values.num_workers != "auto"
    datamodule.num_workers = values.num_workers
    return values
