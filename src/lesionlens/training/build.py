"""Build what a run computes with: decoded images and masks, data loaders, model, loss and optimizer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch

from lesionlens.core.errors import DataError
from lesionlens.core.types import ProgressCallback
from lesionlens.data.attention_targets import AttentionTargets, build_attention_targets
from lesionlens.data.cache_formats import ImageCache
from lesionlens.data.datamodule import EvalDataset, LesionDataModule, channel_statistics, eval_batch_size
from lesionlens.data.dataset import SplitData, TrainDataset
from lesionlens.data.gpu_datamodule import GpuDataModule
from lesionlens.data.image_cache import MessageCallback, open_image_cache
from lesionlens.data.mask_store import MaskStore, check_masks, load_lesion_boxes, load_masks
from lesionlens.datasets.excluded import ExcludedImage
from lesionlens.datasets.table import LesionTable
from lesionlens.imaging.masks import ImageSize
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models import backbone, weights
from lesionlens.models.arl_resnet import compile_attention
from lesionlens.models.base import Classifier
from lesionlens.models.factory import build_network
from lesionlens.models.installed_weights import weights_package
from lesionlens.models.zoo import ZOO
from lesionlens.runs.schema import AttentionPriorRecipe
from lesionlens.training.attention_prior import make_attention_prior
from lesionlens.training.auto_values import (
    AutoValues,
    settle_images_on,
    settle_num_workers,
    settle_precision,
)
from lesionlens.training.losses import ClassificationLoss, compute_class_weights, compute_sample_weights
from lesionlens.training.module import ClassificationModule
from lesionlens.training.resolve import ResolvedRecipe
from lesionlens.training.setup import TRAINING_SPLITS, RunSetup

SHOWN_KEYS = 4  # names of uninitialized parameters in the start message


@dataclass(frozen=True)
class RunComponents:
    """Everything that a run computes with.

    Attributes
    ----------
    setup
        Data, splits and task.
    datamodule
        Data loaders of the training and validation splits.
    module
        Model with its loss, optimizer and preprocessing.
    auto_values
        Settings that the recipe left to ``auto``, all of them known.
    uninitialized_keys
        Names of the parameters and buffers that no weight file has filled.
    excluded
        Images that are not used or lack a mask, with the reasons.
    mask_summary
        Description of the masks of the attention prior; empty without a prior.
    """

    setup: RunSetup
    datamodule: LesionDataModule[TrainDataset]
    module: ClassificationModule
    auto_values: AutoValues
    uninitialized_keys: tuple[str, ...]
    excluded: tuple[ExcludedImage, ...]
    mask_summary: Mapping[str, Any] = field(default_factory=dict)

    def describe_data(self) -> dict[str, Any]:
        """Return the description of the data for ``metadata.json``."""
        data = self.setup.describe()
        return {**data, "excluded": len(self.excluded), "attention_prior": dict(self.mask_summary)}

    def describe_model(self) -> dict[str, Any]:
        """Return the description of the model for ``metadata.json``."""
        config, name = self.setup.recipe.model, self.setup.resolved.model_name
        return {
            "name": name,
            "parameters": backbone.count_parameters(self.module.model),
            "paper": ZOO[name].paper if name in ZOO else "",
            "weights": config.weights,
            "weights_package": self._weights_package,
            "uninitialized_keys": "all" if config.weights == "none" else list(self.uninitialized_keys),
        }

    @property
    def _weights_package(self) -> str:
        return weights_package(self.setup.recipe.model.weights, self.setup.resolved.architecture.backbone)

    def initialization_message(self) -> str:
        """Describe which parameters start from pretrained weights."""
        source, keys = self.setup.recipe.model.weights, self.uninitialized_keys
        if source == "none":
            return "random initialization: no weights were loaded"
        source += f" of the package {self._weights_package}" if self._weights_package else ""
        names = ", ".join(keys[:SHOWN_KEYS]) + (", …" if len(keys) > SHOWN_KEYS else "")
        return f"weights {source} loaded; {len(keys)} newly initialized entries: {names}"


def build(
    setup: RunSetup,
    *,
    on_message: MessageCallback = lambda _: None,
    on_progress: ProgressCallback = lambda *_: None,
) -> RunComponents:
    """Build the model, decode the training and validation images into the cache, and configure the data loaders.

    Parameters
    ----------
    setup
        Data, splits and task.
    on_message, on_progress
        Callbacks of ``open_image_cache``.

    Raises
    ------
    ModelError, RecipeError
        The model cannot be built, rejects the input size, lacks the maps of the attention prior, or its weights cannot
        be loaded; raised before images are decoded.
    DataError, RunError
        Images or masks cannot be read, or there is not enough disk space for the cache.
    """
    resolved = setup.resolved
    model, uninitialized_keys = build_model(resolved, len(setup.task.output_names))
    values = settle_precision(
        resolved.auto_values,
        resolved.architecture,
        resolved.input_size,
        num_steps=setup.num_steps(),
        channels_last=setup.recipe.train.channels_last,
    )
    cache = _open_cache(setup, on_message, on_progress)
    values = values._replace(cache=cache.cache_format)
    preprocessing = _measure_mean_std(setup, cache)
    masks = _load_masks(setup, cache)
    datamodule = _make_datamodule(setup, masks.split_data, preprocessing)
    values = settle_images_on(values, datamodule.train_dataset.split_data)
    if values.images_on == "device":
        datamodule = GpuDataModule(datamodule, values.device)
    module = _make_module(setup, model, preprocessing, compile_model=values.compile == "on")
    values = settle_num_workers(values, datamodule, module)
    return RunComponents(setup, datamodule, module, values, uninitialized_keys, masks.excluded, masks.summary)


def build_model(resolved: ResolvedRecipe, num_classes: int) -> tuple[Classifier, tuple[str, ...]]:
    """Build the model of a recipe with its weights; the seed determines all other parameters.

    Returns
    -------
    model
        Model on the CPU.
    uninitialized_keys
        Names of the parameters and buffers that no weight file has filled.

    Raises
    ------
    ModelError, RecipeError
        The model cannot be built, rejects the input size, lacks the maps of the attention prior, or its weights cannot
        be loaded.
    """
    recipe, architecture = resolved.recipe, resolved.architecture
    L.seed_everything(recipe.train.seed, workers=True, verbose=False)
    model = build_network(architecture, num_classes)
    uninitialized_keys = weights.load_backbone_weights(
        model, recipe.model.weights, backbone=architecture.backbone
    )
    backbone.check_input(model, resolved.input_size, num_crops=model.num_crops)
    make_attention_prior(recipe.attention_prior, model, resolved.input_size)
    return model, uninitialized_keys


def _open_cache(setup: RunSetup, on_message: MessageCallback, on_progress: ProgressCallback) -> ImageCache:
    data = setup.recipe.data
    return open_image_cache(
        [path for name in TRAINING_SPLITS for path in setup.split_table(name).paths],
        max_short_side=data.max_short_side,
        color_constancy=data.color_constancy,
        hair_removal=data.hair_removal,
        option=setup.resolved.auto_values.cache,
        cache_dir=Path(data.cache_dir) if data.cache_dir else None,
        on_message=on_message,
        progress=on_progress,
    )


def _measure_mean_std(setup: RunSetup, cache: ImageCache) -> Preprocessing:
    """Return the preprocessing, with mean and standard deviation of the training images if the recipe requests them."""
    if setup.recipe.model.mean_and_std() is not None:
        return setup.preprocessing
    mean, std = channel_statistics(cache[index] for index in range(len(setup.splits.splits["train"])))
    if min(std) <= 0:
        raise DataError(
            f"the training images have a channel without variation (standard deviation {std}), by which "
            "model.normalization=dataset would divide; check the images, or use model.normalization=unit"
        )
    return setup.preprocessing.model_copy(update={"mean": mean, "std": std})


@dataclass(frozen=True)
class _LoadedMasks:
    """Images and masks of the training splits, images without a mask, and a description of the prior's masks."""

    split_data: dict[str, SplitData]
    excluded: tuple[ExcludedImage, ...]
    summary: Mapping[str, Any]


def _load_masks(setup: RunSetup, cache: ImageCache) -> _LoadedMasks:
    """Load lesion boxes for the region of interest and masks for the attention prior, if the recipe uses them."""
    recipe, excluded, summary = setup.recipe, list(setup.excluded), dict[str, Any]()
    mask_dir = Path(recipe.data.mask_dir) if recipe.data.mask_dir else None
    loaded: dict[str, SplitData] = {}
    if (
        recipe.crops.roi_margin is not None and "test" in setup.splits.splits
    ):  # rather than after the last epoch
        masks_by_id = setup.lesion_masks()
        check_masks([path for image_id in setup.splits.splits["test"] if (path := masks_by_id[image_id])])
    for name in TRAINING_SPLITS:
        table = setup.split_table(name)
        indices = np.arange(len(table)) + sum(map(len, loaded.values()))
        split_data = SplitData(cache, indices, setup.targets(name))
        sizes = [cache.shape(int(index)) for index in indices]
        if recipe.crops.roi_margin is not None:
            regions = load_lesion_boxes(table, sizes, recipe.crops.roi_margin, mask_dir=mask_dir)
            split_data = replace(split_data, lesion_boxes=regions.boxes)
            excluded += [
                ExcludedImage(image_id, name, f"{reason}: used uncropped")
                for image_id, reason in regions.excluded
            ]
        if name == "train" and recipe.attention_prior.is_enabled:
            masks = load_masks(
                table, recipe.attention_prior.target, sizes, mask_dir=mask_dir, probabilities=True
            )
            targets = _attention_targets(recipe.attention_prior, masks.masks, table, sizes)
            split_data, summary = replace(split_data, masks=targets.masks), dict(targets.to_metadata())
            excluded += [
                ExcludedImage(image_id, name, f"{reason}: no prior") for image_id, reason in masks.excluded
            ]
        loaded[name] = split_data
    return _LoadedMasks(loaded, tuple(dict.fromkeys(excluded)), summary)


def _attention_targets(
    config: AttentionPriorRecipe, masks: MaskStore, table: LesionTable, sizes: Sequence[ImageSize]
) -> AttentionTargets:
    return build_attention_targets(
        masks,
        table,
        sizes,
        mask_fraction=config.mask_fraction,
        degradation=config.mask_degradation,
        severity=config.severity,
        background=config.target == "background",
        seed=config.seed,
    )


def _make_datamodule(
    setup: RunSetup, split_data: Mapping[str, SplitData], preprocessing: Preprocessing
) -> LesionDataModule[TrainDataset]:
    recipe, train = setup.recipe, setup.recipe.train
    sample_weights = compute_sample_weights(train, setup.split_table("train").frame)
    train_dataset = TrainDataset(
        replace(split_data["train"], sample_weights=sample_weights),
        crop_size=preprocessing.input_size,
        crop_strategy=recipe.crops.train.strategy,
        crops_per_image=recipe.crops.train.count,
        all_crops=setup.resolved.architecture.num_crops is not None,
        augmentation=recipe.augment,
        seed=train.seed,
        fixed_crop_ids=None if recipe.crops.train.resample else setup.splits.splits["train"],
    )
    return LesionDataModule(
        train_dataset,
        EvalDataset(split_data["validation"], preprocessing),
        setup.make_sampler(),
        batch_size=train.batch_size,
        val_batch_size=eval_batch_size(train.batch_size, train_dataset, preprocessing),
        num_workers=0,
    )


def _make_module(
    setup: RunSetup, model: Classifier, preprocessing: Preprocessing, *, compile_model: bool
) -> ClassificationModule:
    recipe, task = setup.recipe, setup.task
    counts = np.bincount(setup.targets("train"), minlength=len(task.classes))
    class_weights = compute_class_weights(recipe.train, counts, task.classes)
    if recipe.train.channels_last:
        model = model.to(memory_format=torch.channels_last)
    if compile_model:
        compile_attention(model)
    return ClassificationModule(
        model,
        recipe.train,
        preprocessing,
        loss_fn=ClassificationLoss(recipe.train, class_weight=class_weights, multilabel=task.multilabel),
        attention_prior=make_attention_prior(recipe.attention_prior, model, preprocessing.input_size),
    )
