"""From a recipe to what a run needs: the table, the split, the parts in the store, the network."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lesionlens.data.balance import class_weights
from lesionlens.data.datasets import load_table
from lesionlens.data.module import LesionData, Part, TestCrops, TrainCrops, Visits
from lesionlens.data.splits import Split, from_file, grouped, official
from lesionlens.data.store import Progress, open_store
from lesionlens.data.table import LesionTable
from lesionlens.data.tasks import Task, task
from lesionlens.errors import RunError
from lesionlens.models.classifier import Classifier
from lesionlens.preprocessing import Preprocessing
from lesionlens.training.network import USUAL_SIZE, Wanted, wanted
from lesionlens.training.recipe import DataRecipe, Recipe
from lesionlens.training.task import Classification

SYNTHETIC = "These pictures were drawn by LesionLens; the numbers say nothing about real lesions."


@dataclass(frozen=True)
class Prepared:
    """What is known before anything is computed.

    Attributes
    ----------
    recipe
        As it was given; its crops as the network needs them.
    table, task, split
        The images, what is asked of them, and which part each is in.
    preprocessing
        For the model's card.
    network
        How the network is made.
    """

    recipe: Recipe
    table: LesionTable
    task: Task
    split: Split
    preprocessing: Preprocessing
    network: Wanted

    def part(self, name: str) -> LesionTable:
        """Give the rows of a part."""
        return self.table.select(self.split.parts[name])

    def facts(self) -> Mapping[str, Any]:
        """Say for ``run.json`` what it is trained on."""
        parts = {name: _facts(self.part(name), self.task) for name in self.split.parts}
        synthetic = (self.table.frame["source"] == "synthetic").any()
        return {
            "source": self.recipe.data.source,
            "statement": SYNTHETIC if synthetic else "",
            "fingerprint": self.table.fingerprint(),
            "task": self.task.name,
            "classes": list(self.task.classes),
            "warnings": list(self.table.warnings),
            "split": self.split.how,
            "remarks": list(self.split.remarks),
            "parts": parts,
        }


def prepare(recipe: Recipe) -> Prepared:
    """Load and check the data, split them, resolve the network; cheap, and where most errors show.

    Raises
    ------
    LesionLensError
        Data, split, task, network or crops are not as the recipe says.
    """
    if recipe.train.device == "gpu" and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        raise RunError("there is no GPU here that torch can use; give train.device=auto or cpu")
    network = wanted(recipe)
    recipe = network.recipe
    table = load_table(recipe.data.source, classes=recipe.data.classes)
    return Prepared(
        recipe=recipe,
        table=table,
        task=task(recipe.data.task, table.classes),
        split=_split(table, recipe.data, recipe.train.seed),
        preprocessing=Preprocessing(
            input_size=recipe.model.input_size or USUAL_SIZE,
            shorter_side=recipe.data.shorter_side,
            crops=recipe.crops.test,
            crop_count=recipe.crops.test_count,
            seed=recipe.train.seed,
            mean=recipe.model.mean,
            std=recipe.model.std,
        ),
        network=network,
    )


def make_data(prepared: Prepared, progress: Progress | None = None) -> LesionData:
    """Decode the training and validation images into the store, once, and make their loaders.

    Raises
    ------
    DataError, RunError
        Images that cannot be decoded; no space for the store.
    """
    recipe, crops, train = prepared.recipe, prepared.recipe.crops, prepared.recipe.train
    chosen = {name: prepared.part(name) for name in ("train", "validation")}
    store = open_store(
        [path for rows in chosen.values() for path in rows.paths],
        shorter_side=recipe.data.shorter_side,
        folder=Path(recipe.data.store) if recipe.data.store else None,
        progress=progress,
    )
    parts: dict[str, Part] = {}
    for name, rows in chosen.items():
        places = np.arange(len(rows)) + sum(map(len, parts.values()))
        parts[name] = Part(store, places, prepared.task.targets(rows.frame["diagnosis"]))
    together = prepared.network.architecture.crops is not None
    rounds = 1 if together else crops.train_count
    return LesionData(
        TrainCrops(
            parts["train"],
            size=prepared.preprocessing.input_size,
            crops=crops.train,
            count=crops.train_count,
            together=together,
            augment=recipe.augment,
            seed=train.seed,
        ),
        TestCrops(parts["validation"], prepared.preprocessing),
        Visits(parts["train"].targets, crops=rounds, sampling=train.sampling, seed=train.seed),
        batch_size=train.batch_size,
        workers=train.workers,
    )


def make_task(prepared: Prepared, model: Classifier, data: LesionData) -> Classification:
    """Join network, optimiser and loss."""
    power = prepared.recipe.train.class_weight_power
    counts = np.bincount(data.train.part.targets, minlength=len(prepared.task.classes))
    weights = None if power is None else class_weights(counts, power=power)
    if prepared.recipe.train.channels_last:
        model = model.to(memory_format=torch.channels_last)
    return Classification(model, prepared.recipe.train, prepared.preprocessing, weights)


def _split(table: LesionTable, recipe: DataRecipe, seed: int) -> Split:
    if recipe.split == "official":
        return official(table, validation=recipe.validation, seed=seed)
    if recipe.split == "grouped":
        return grouped(table, validation=recipe.validation, test=recipe.test, seed=seed)
    return from_file(table, Path(recipe.split), validation=recipe.validation_part, test=recipe.test_part)


def _facts(rows: LesionTable, asked: Task) -> Mapping[str, Any]:
    counts = np.bincount(asked.targets(rows.frame["diagnosis"]), minlength=len(asked.classes))
    return {
        "images": len(rows),
        "lesions": int(rows.frame["lesion_id"].nunique()),
        "classes": dict(zip(asked.classes, counts.tolist(), strict=True)),
    }
