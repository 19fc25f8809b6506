"""From what is known to what is computed with: decoded images, masks, loaders, the task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lesionlens.core.errors import RunError
from lesionlens.core.types import ProgressCallback
from lesionlens.data.attention_targets import AttentionTargets, build_attention_targets
from lesionlens.data.cache_formats import ImageCache
from lesionlens.data.datamodule import EvalDataset, LesionDataModule, channel_statistics
from lesionlens.data.dataset import SplitData, TrainDataset
from lesionlens.data.gpu_datamodule import GpuDataModule, fits_in_gpu_memory
from lesionlens.data.image_cache import MessageCallback, open_image_cache
from lesionlens.data.mask_store import MaskStore, load_lesion_boxes, load_masks
from lesionlens.data.sampler import EpochSampler
from lesionlens.datasets.excluded import ExcludedImage
from lesionlens.datasets.table import LesionTable
from lesionlens.imaging.masks import ImageSize
from lesionlens.models.arl_resnet import compile_attention
from lesionlens.models.base import Classifier
from lesionlens.runs.schema import AttentionPriorRecipe, Recipe, TrainRecipe
from lesionlens.training.attention_prior import make_attention_prior
from lesionlens.training.autotune import choose_compile, choose_precision
from lesionlens.training.losses import (
    ClassificationLoss,
    compute_class_weights,
    compute_sample_weights,
    repeat_factors,
)
from lesionlens.training.module import ClassificationModule
from lesionlens.training.setup import RunSetup

AUTO_KEYS = (
    "data.cache",
    "data.images_on",
    "train.num_workers",
    "train.num_threads",
    "train.precision",
    "train.compile",
)


def resolve_auto(setup: RunSetup, section: str, **values: Any) -> RunSetup:
    """Put values in place of ``auto`` into a section of the recipe that is computed with."""
    changed = getattr(setup.recipe, section).model_copy(update=values)
    return replace(setup, recipe=setup.recipe.model_copy(update={section: changed}))


def auto_choices(recipe: Recipe) -> Mapping[str, Any]:
    """Give for the record each key that may be ``auto``, with its value."""
    return {key: getattr(getattr(recipe, key.partition(".")[0]), key.partition(".")[2]) for key in AUTO_KEYS}


def compute_summary(recipe: Recipe, device: torch.device) -> str:
    """Say in a line how a run computes.

    Examples
    --------
    >>> said = {"data": {"source": "table:my.csv"}, "model": {"name": "resnet14"}, "train": {"num_threads": 2}}
    >>> compute_summary(Recipe.model_validate(said), torch.device("cpu"))
    'computing on cpu: precision auto, compile auto, num_threads 2, num_workers auto'
    """
    train = recipe.train
    keys = ("precision", "compile", "num_threads", "num_workers")
    return f"computing on {device.type}: {', '.join(f'{key} {getattr(train, key)}' for key in keys)}"


def as_overrides(metadata: Mapping[str, Any]) -> list[str]:
    """Give the words that lay a record's choices over the recipe again."""
    return [f"{key}={value}" for key, value in metadata.get("auto_values", {}).items()]


def resolve_training_device(config: TrainRecipe) -> torch.device:
    """Give the device that a recipe means here: a CUDA card, Apple's, or the CPU."""
    if config.device != "cpu" and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    apple = config.device != "cpu" and torch.backends.mps.is_available()
    return torch.device("mps" if apple else "cpu")


TRAINING_SPLITS = ("train", "validation")


@dataclass(frozen=True)
class RunComponents:
    """What is known, now with all that only the pixels tell, and the loaders."""

    setup: RunSetup
    datamodule: LesionDataModule


def build_datamodule(
    setup: RunSetup,
    *,
    on_message: MessageCallback = lambda _: None,
    on_progress: ProgressCallback = lambda *_: None,
) -> RunComponents:
    """Decode the training and validation images into the store, once, and make their loaders.

    Parameters
    ----------
    setup
        What is known; what ``data.cache: auto`` and ``data.images_on: auto`` come to is in what is given back.
    on_message, on_progress
        As for ``open_image_cache``.

    Raises
    ------
    DataError, RunError
        Images or masks that cannot be used; no space for the store.
    """
    said = setup.recipe.data
    store = open_image_cache(
        [path for name in TRAINING_SPLITS for path in setup.split_table(name).paths],
        max_short_side=said.max_short_side,
        color_constancy=said.color_constancy,
        hair_removal=said.hair_removal,
        option=said.cache,
        cache_dir=Path(said.cache_dir) if said.cache_dir else None,
        on_message=on_message,
        progress=on_progress,
    )
    setup = resolve_auto(setup, "data", cache=store.cache_format)
    setup, parts = _build_split_data(_measure_mean_std(setup, store), store)
    data = _assemble_datamodule(setup, parts)
    return _choose_memory(
        _choose_precision_and_compile(setup, steps=setup.recipe.train.epochs * len(data.train_dataloader())),
        data,
    )


def build_module(setup: RunSetup, model: Classifier) -> ClassificationModule:
    """Join network, optimiser, loss and prior."""
    recipe, asked = setup.recipe, setup.task
    counts = np.bincount(setup.targets("train"), minlength=len(asked.classes))
    weights = compute_class_weights(recipe.train, counts, asked.classes)
    if recipe.train.channels_last:
        model = model.to(memory_format=torch.channels_last)
    if recipe.train.compile == "on":
        compile_attention(model)
    return ClassificationModule(
        model,
        recipe.train,
        setup.preprocessing,
        loss_fn=ClassificationLoss(recipe.train, class_weight=weights, multilabel=asked.multilabel),
        attention_prior=make_attention_prior(recipe.attention_prior, model, setup.preprocessing.input_size),
    )


def _measure_mean_std(setup: RunSetup, cache: ImageCache) -> RunSetup:
    """Measure the training images where the recipe asks for their own mean and standard deviation."""
    if setup.recipe.model.mean_and_std() is not None:
        return setup
    mean, std = channel_statistics(cache[place] for place in range(len(setup.splits.splits["train"])))
    return replace(setup, preprocessing=setup.preprocessing.model_copy(update={"mean": mean, "std": std}))


def _build_split_data(setup: RunSetup, cache: ImageCache) -> tuple[RunSetup, dict[str, SplitData]]:
    """Say where each part lies in the store, with what is known of its images; note whose masks are missing."""
    recipe, left_out = setup.recipe, list(setup.excluded)
    folder = Path(recipe.data.mask_dir) if recipe.data.mask_dir else None
    parts: dict[str, SplitData] = {}
    for name in TRAINING_SPLITS:
        rows = setup.split_table(name)
        places = np.arange(len(rows)) + sum(map(len, parts.values()))
        part = SplitData(cache, places, setup.targets(name))
        shapes = [cache.shape(int(place)) for place in places]
        if recipe.crops.roi_margin is not None:
            regions = load_lesion_boxes(rows, shapes, recipe.crops.roi_margin, mask_dir=folder)
            part = replace(part, lesion_boxes=regions.boxes)
            left_out += [
                ExcludedImage(image, name, f"{reason}: seen whole") for image, reason in regions.excluded
            ]
        if name == "train" and recipe.attention_prior.is_enabled:
            masks = load_masks(rows, recipe.attention_prior.target, shapes, mask_dir=folder)
            prior = _attention_targets(recipe.attention_prior, masks.masks, rows, shapes)
            part = replace(part, masks=prior.masks)
            setup = replace(setup, mask_summary=prior.to_metadata())
            left_out += [
                ExcludedImage(image, name, f"{reason}: no prior") for image, reason in masks.excluded
            ]
        parts[name] = part
    once = tuple(dict.fromkeys(left_out))  # a mask that prior and region want is missing once
    return replace(setup, excluded=once), parts


def _attention_targets(
    config: AttentionPriorRecipe, masks: MaskStore, rows: LesionTable, shapes: Sequence[ImageSize]
) -> AttentionTargets:
    return build_attention_targets(
        masks,
        rows,
        shapes,
        mask_fraction=config.mask_fraction,
        degradation=config.mask_degradation,
        severity=config.severity,
        background=config.target == "background",
        seed=config.seed,
    )


def _assemble_datamodule(setup: RunSetup, split_data: dict[str, SplitData]) -> LesionDataModule:
    recipe, train = setup.recipe, setup.recipe.train
    together = setup.resolved_model.architecture.num_crops is not None
    weights = compute_sample_weights(train, setup.split_table("train").frame)
    split_data = split_data | {"train": replace(split_data["train"], sample_weights=weights)}
    visits = EpochSampler(
        split_data["train"].targets,
        crops_per_image=1 if together else recipe.crops.train_count,
        passes_per_epoch=train.passes_per_epoch,
        sampling=train.sampling,
        repeats=repeat_factors(train, split_data["train"].targets, setup.task.classes),
        seed=train.seed,
    )
    crops = TrainDataset(
        split_data["train"],
        crop_size=setup.preprocessing.input_size,
        crop_strategy=recipe.crops.train,
        crops_per_image=recipe.crops.train_count,
        all_crops=together,
        augmentation=recipe.augment,
        seed=train.seed,
    )
    validation = EvalDataset(split_data["validation"], setup.preprocessing)
    return LesionDataModule(crops, validation, visits, batch_size=train.batch_size, num_workers=0)


def _choose_precision_and_compile(setup: RunSetup, *, steps: int) -> RunSetup:
    """Put values in place of ``auto`` in ``train.precision`` and ``train.compile``."""
    train, device = setup.recipe.train, resolve_training_device(setup.recipe.train)
    attends = setup.resolved_model.uses_residual_attention
    if train.precision == "auto":
        made, size = setup.resolved_model.architecture, setup.preprocessing.input_size
        precision = "fp32" if attends else choose_precision(made, size, device, steps=steps)
        setup = resolve_auto(setup, "train", precision=precision)
    if train.compile == "auto":
        pays = attends and train.channels_last and choose_compile(device, steps=steps)
        setup = resolve_auto(setup, "train", compile="on" if pays else "off")
    return setup


def _choose_memory(setup: RunSetup, datamodule: LesionDataModule) -> RunComponents:
    """Let training images lie where the recipe says; where it says nothing, on a card that has room."""
    device, place = resolve_training_device(setup.recipe.train), setup.recipe.data.images_on
    if place == "auto":
        place = "device" if fits_in_gpu_memory(datamodule.train_dataset.split_data, device) else "host"
    if place == "device" and device.type == "mps":
        raise RunError(
            "data.images_on=device needs float64, which Apple's GPU has not; give data.images_on=host"
        )
    datamodule = GpuDataModule(datamodule, device) if place == "device" else datamodule
    return RunComponents(resolve_auto(setup, "data", images_on=place), datamodule)
