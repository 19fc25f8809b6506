"""From what is known to what is computed with: decoded images, masks, loaders, the task."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from lesionlens.data.fitted_mask import Shape
from lesionlens.data.masks import Masks, open_masks
from lesionlens.data.module import LesionData, TestCrops
from lesionlens.data.part import Part
from lesionlens.data.prior_masks import PriorMasks, prior_masks
from lesionlens.data.regions import open_regions
from lesionlens.data.resident import ResidentData, fits
from lesionlens.data.statistics import channel_statistics
from lesionlens.data.store import Progress, Say, open_store
from lesionlens.data.stored import ImageStore
from lesionlens.data.table import LesionTable
from lesionlens.data.train_crops import TrainCrops
from lesionlens.data.visits import Visits
from lesionlens.errors import RunError
from lesionlens.models.arl_block import compile_attention
from lesionlens.models.classifier import Classifier
from lesionlens.training.chosen import with_choice
from lesionlens.training.device import device_of
from lesionlens.training.left_out import LeftOut
from lesionlens.training.objective import Objective, copies_of_images, weights_of_classes, weights_of_images
from lesionlens.training.precision import choose_compile, choose_precision
from lesionlens.training.prepared import Prepared
from lesionlens.training.prior import make_prior
from lesionlens.training.prior_recipe import PriorRecipe
from lesionlens.training.task import Classification

TRAINED = ("train", "validation")


@dataclass(frozen=True)
class Ready:
    """What is known, now with all that only the pixels tell, and the loaders."""

    prepared: Prepared
    data: LesionData


def make_data(
    prepared: Prepared, *, say: Say = lambda _: None, progress: Progress = lambda *_: None
) -> Ready:
    """Decode the training and validation images into the store, once, and make their loaders.

    Parameters
    ----------
    prepared
        What is known; what ``data.store: auto`` and ``data.memory: auto`` come to is in what is given back.
    say, progress
        As for ``open_store``.

    Raises
    ------
    DataError, RunError
        Images or masks that cannot be used; no space for the store.
    """
    said = prepared.recipe.data
    store = open_store(
        [path for name in TRAINED for path in prepared.part(name).paths],
        shorter_side=said.shorter_side,
        colour=said.colour,
        hair=said.hair,
        kind=said.store,
        folder=Path(said.store_folder) if said.store_folder else None,
        say=say,
        progress=progress,
    )
    prepared = with_choice(prepared, "data", store=store.kind)
    prepared, parts = _parts(_scaled(prepared, store), store)
    data = _loaders(prepared, parts)
    return _placed(
        _settled(prepared, steps=prepared.recipe.train.epochs * len(data.train_dataloader())), data
    )


def make_task(prepared: Prepared, model: Classifier) -> Classification:
    """Join network, optimiser, loss and prior."""
    recipe, asked = prepared.recipe, prepared.task
    counts = np.bincount(prepared.targets("train"), minlength=len(asked.classes))
    weights = weights_of_classes(recipe.train, counts, asked.classes)
    if recipe.train.channels_last:
        model = model.to(memory_format=torch.channels_last)
    if recipe.train.compile == "on":
        compile_attention(model)
    return Classification(
        model,
        recipe.train,
        prepared.preprocessing,
        objective=Objective(recipe.train, weights=weights, independent=asked.independent),
        prior=make_prior(recipe.prior, model, prepared.preprocessing.input_size),
    )


def _scaled(prepared: Prepared, store: ImageStore) -> Prepared:
    """Measure the training images where the recipe asks for their own mean and standard deviation."""
    if prepared.recipe.model.scaling() is not None:
        return prepared
    mean, std = channel_statistics(store[place] for place in range(len(prepared.split.parts["train"])))
    return replace(
        prepared, preprocessing=prepared.preprocessing.model_copy(update={"mean": mean, "std": std})
    )


def _parts(prepared: Prepared, store: ImageStore) -> tuple[Prepared, dict[str, Part]]:
    """Say where each part lies in the store, with what is known of its images; note whose masks are missing."""
    recipe, left_out = prepared.recipe, list(prepared.left_out)
    folder = Path(recipe.data.masks) if recipe.data.masks else None
    parts: dict[str, Part] = {}
    for name in TRAINED:
        rows = prepared.part(name)
        places = np.arange(len(rows)) + sum(map(len, parts.values()))
        part = Part(store, places, prepared.targets(name))
        shapes = [store.shape(int(place)) for place in places]
        if recipe.crops.roi is not None:
            regions = open_regions(rows, shapes, recipe.crops.roi, folder=folder)
            part = replace(part, regions=regions.regions)
            left_out += [LeftOut(image, name, f"{reason}: seen whole") for image, reason in regions.left_out]
        if name == "train" and recipe.prior.asked:
            masks = open_masks(rows, recipe.prior.masks, shapes, folder=folder)
            prior = _prior(recipe.prior, masks.masks, rows, shapes)
            part = replace(part, masks=prior.masks)
            prepared = replace(prepared, prior=prior.facts())
            left_out += [LeftOut(image, name, f"{reason}: no prior") for image, reason in masks.left_out]
        parts[name] = part
    once = tuple(dict.fromkeys(left_out))  # a mask that prior and region want is missing once
    return replace(prepared, left_out=once), parts


def _prior(said: PriorRecipe, exact: Masks, rows: LesionTable, shapes: Sequence[Shape]) -> PriorMasks:
    return prior_masks(
        exact,
        rows,
        shapes,
        share=said.share,
        quality=said.quality,
        amount=said.amount,
        background=said.masks == "background",
        seed=said.seed,
    )


def _loaders(prepared: Prepared, parts: dict[str, Part]) -> LesionData:
    recipe, train = prepared.recipe, prepared.recipe.train
    together = prepared.network.architecture.crops is not None
    weights = weights_of_images(train, prepared.part("train").frame)
    parts = parts | {"train": replace(parts["train"], weights=weights)}
    visits = Visits(
        parts["train"].targets,
        crops=1 if together else recipe.crops.train_count,
        passes=train.passes,
        sampling=train.sampling,
        copies=copies_of_images(train, parts["train"].targets, prepared.task.classes),
        seed=train.seed,
    )
    crops = TrainCrops(
        parts["train"],
        size=prepared.preprocessing.input_size,
        crops=recipe.crops.train,
        count=recipe.crops.train_count,
        together=together,
        augment=recipe.augment,
        seed=train.seed,
    )
    validation = TestCrops(parts["validation"], prepared.preprocessing)
    return LesionData(crops, validation, visits, batch_size=train.batch_size, workers=0)


def _settled(prepared: Prepared, *, steps: int) -> Prepared:
    """Put values in place of ``auto`` in ``train.precision`` and ``train.compile``."""
    train, device = prepared.recipe.train, device_of(prepared.recipe.train)
    attends = prepared.network.residual_attention
    if train.precision == "auto":
        made, size = prepared.network.architecture, prepared.preprocessing.input_size
        precision = "fp32" if attends else choose_precision(made, size, device, steps=steps)
        prepared = with_choice(prepared, "train", precision=precision)
    if train.compile == "auto":
        pays = attends and train.channels_last and choose_compile(device, steps=steps)
        prepared = with_choice(prepared, "train", compile="on" if pays else "off")
    return prepared


def _placed(prepared: Prepared, data: LesionData) -> Ready:
    """Let training images lie where the recipe says; where it says nothing, on a card that has room."""
    device, place = device_of(prepared.recipe.train), prepared.recipe.data.memory
    if place == "auto":
        place = "device" if fits(data.train.part, device) else "host"
    if place == "device" and device.type == "mps":
        raise RunError("data.memory=device needs float64, which Apple's GPU has not; give data.memory=host")
    data = ResidentData(data, device) if place == "device" else data
    return Ready(with_choice(prepared, "data", memory=place), data)
