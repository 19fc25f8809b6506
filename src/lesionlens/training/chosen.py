"""What ``auto`` came to: chosen once before a run, noted in its record, and kept when it is resumed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from lesionlens.training.prepared import RunSetup
from lesionlens.training.recipe import Recipe

AUTO_KEYS = ("data.store", "data.memory", "train.workers", "train.threads", "train.precision", "train.compile")


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
    >>> said = {"data": {"source": "table:my.csv"}, "model": {"name": "resnet14"}, "train": {"threads": 2}}
    >>> told(Recipe.model_validate(said), torch.device("cpu"))
    'computing on cpu: precision auto, compile auto, threads 2, workers auto'
    """
    train = recipe.train
    keys = ("precision", "compile", "threads", "workers")
    return f"computing on {device.type}: {', '.join(f'{key} {getattr(train, key)}' for key in keys)}"


def as_overrides(metadata: Mapping[str, Any]) -> list[str]:
    """Give the words that lay a record's choices over the recipe again."""
    return [f"{key}={value}" for key, value in metadata.get("chosen", {}).items()]
