"""What ``auto`` came to: chosen once before a run, noted in its record, and kept when it is resumed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from lesionlens.training.prepared import Prepared
from lesionlens.training.recipe import Recipe

CHOSEN = ("data.store", "data.memory", "train.workers", "train.threads", "train.precision", "train.compile")


def with_choice(prepared: Prepared, section: str, **values: Any) -> Prepared:
    """Put values in place of ``auto`` into a section of the recipe that is computed with."""
    changed = getattr(prepared.recipe, section).model_copy(update=values)
    return replace(prepared, recipe=prepared.recipe.model_copy(update={section: changed}))


def choices(recipe: Recipe) -> Mapping[str, Any]:
    """Give for the record each key that may be ``auto``, with its value."""
    return {key: getattr(getattr(recipe, key.partition(".")[0]), key.partition(".")[2]) for key in CHOSEN}


def told(recipe: Recipe, device: torch.device) -> str:
    """Say in a line how a run computes.

    Examples
    --------
    >>> said = {"data": {"source": "table:my.csv"}, "model": {"name": "resnet14"}, "train": {"threads": 2}}
    >>> told(Recipe.model_validate(said), torch.device("cpu"))
    'computing on cpu: precision auto, compile auto, threads 2, workers auto'
    """
    train = recipe.train
    keys = ("precision", "compile", "threads", "workers")
    return f"computing on {device.type}: {', '.join(f'{key} {getattr(train, key)}' for key in keys)}"


def chosen_words(record: Mapping[str, Any]) -> list[str]:
    """Give the words that lay a record's choices over the recipe again."""
    return [f"{key}={value}" for key, value in record.get("chosen", {}).items()]
