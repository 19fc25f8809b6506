"""What ``auto`` came to: chosen once before a run, noted in its record, and kept when it is resumed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

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


def chosen_words(record: Mapping[str, Any]) -> list[str]:
    """Give the words that lay a record's choices over the recipe again."""
    return [f"{key}={value}" for key, value in record.get("chosen", {}).items()]
