"""From a recipe's name or file and ``key=value`` words to a checked ``Recipe``; errors name the nearest key."""

from collections.abc import Iterable, Sequence
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from lesionlens.errors import RecipeError, unknown_name_message
from lesionlens.training.recipe import Recipe
from lesionlens.training.recipe_file import SHORTHAND_KEYS, replace_model, read_raw, expand_shorthand


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a shipped recipe or a YAML file, over its base, and put the ``section.key=value`` words over it.

    Raises
    ------
    RecipeError
        The recipe does not exist or is no YAML, a key is unknown, a value is not allowed: all of them at once.
    """
    if isinstance(overrides, str):
        raise RecipeError(f"overrides is one text, {overrides!r}; give a list of section.key=value texts")
    tree = read_raw(name)
    said = {_apply_override(tree, word) for word in overrides}
    if isinstance(tree.get("model"), dict):  # a network named by a word replaces the recipe's own
        words = {key.removeprefix("model.") for key in said if key.startswith("model.")}
        tree["model"] = replace_model(tree["model"], words)
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        lines = "\n".join(f"  {_format_error(problem)}" for problem in error.errors())
        raise RecipeError(f"recipe {name} cannot be used:\n{lines}") from error


def _apply_override(tree: dict[str, Any], override: str) -> str:
    """Set what a word says; give its key in full."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"{override!r} is no override; write section.key=value, for example train.epochs=5")
    if key == "base":
        raise RecipeError(f"{override!r}: a base stands in a file; or train that recipe itself, by its name")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"the value of {override!r} cannot be read: {error}") from error
    if key in SHORTHAND_KEYS and key != "augment" and isinstance(value, str):  # a named augmentation is whole
        key = f"{key}.{SHORTHAND_KEYS[key]}"
    *sections, last = key.split(".")
    for section in sections:
        inner = expand_shorthand(section, tree.get(section) or {})
        if not isinstance(inner, dict):
            raise RecipeError(f"{section} is {inner!r} in the recipe, no table into which {override!r} could go")
        tree[section] = inner
        tree = inner
    tree[last] = value
    return key


def _format_error(error: Any) -> str:
    where = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        return unknown_name_message("key", ".".join(where), _sibling_keys(where[:-1]))
    if error["type"] == "missing":
        return f"{'.'.join(where)} is missing: give it in the recipe or as {'.'.join(where)}=…"
    if error["type"] in {"tuple_type", "list_type"}:
        return f"{'.'.join(where)}: a list is wanted, written [a,b] (came: {error['input']!r})"
    came = "" if isinstance(error["input"], dict | BaseModel) else f" (came: {error['input']!r})"
    return f"{'.'.join(where) + ': ' if where else ''}{error['msg'].removeprefix('Value error, ')}{came}"


def _sibling_keys(path: Iterable[str]) -> list[str]:
    """Give every key that stands beside the one at ``path``, with its section."""
    section: type[BaseModel] = Recipe
    for name in path:
        section = section.model_fields[name].annotation  # type: ignore[assignment]
    prefix = "".join(f"{name}." for name in path)
    return [prefix + key for key in section.model_fields]
