"""From a recipe's name or file and ``key=value`` words to a checked ``Recipe``; errors name the nearest key."""

from collections.abc import Iterable, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from lesionlens.errors import RecipeError, unknown
from lesionlens.training.recipe import Recipe

_SHIPPED = files("lesionlens") / "recipes"


def shipped() -> dict[str, Traversable]:
    """Recipes that come with the package: ``arl/cnn50`` and so on."""
    found = {}
    for entry in _SHIPPED.iterdir():
        inside = entry.iterdir() if entry.is_dir() else [entry]
        for file in inside:
            if file.name.endswith(".yaml"):
                stem = file.name.removesuffix(".yaml")
                found[f"{entry.name}/{stem}" if entry.is_dir() else stem] = file
    return found


def read_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a shipped recipe or a YAML file and put the ``section.key=value`` words over it.

    Raises
    ------
    RecipeError
        The recipe does not exist or is no YAML, a key is unknown, a value is not allowed: all of them at once.
    """
    if isinstance(overrides, str):
        raise RecipeError(f"overrides is one text, {overrides!r}; give a list of section.key=value texts")
    tree = _read_yaml(name)
    for word in overrides:
        _override(tree, word)
    _one_network(tree, {word.partition("=")[0] for word in overrides})
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        lines = "\n".join(f"  {_explain(problem)}" for problem in error.errors())
        raise RecipeError(f"recipe {name} cannot be used:\n{lines}") from error


def _read_yaml(name: str) -> dict[str, Any]:
    ours = shipped()
    file: Traversable | Path
    if name in ours:
        file = ours[name]
    elif (file := Path(name)).suffix not in {".yaml", ".yml"}:
        raise RecipeError(unknown("recipe", name, ours) + "; or give the path of a .yaml file")
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(
            f"cannot read the recipe {name}: {getattr(error, 'strerror', None) or error}"
        ) from error
    if not isinstance(tree, dict):
        raise RecipeError(
            f"the recipe {name} is no table of sections; allowed: {', '.join(Recipe.model_fields)}"
        )
    return tree


def _override(tree: dict[str, Any], word: str) -> None:
    key, equals, text = word.partition("=")
    if not equals or not key:
        raise RecipeError(f"{word!r} is no override; write section.key=value, for example train.epochs=5")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"the value of {word!r} cannot be read: {error}") from error
    *sections, last = key.split(".")
    for section in sections:
        inner = tree.setdefault(section, {})
        if not isinstance(inner, dict):  # the short form data: NAME:ROOT, given before data.task=…
            inner = tree[section] = {"source" if section == "data" else "name": inner}
        tree = inner
    if isinstance(tree.get(last), dict) and isinstance(value, str):
        tree[last] = {**tree[last], "source" if last == "data" else "name": value}
    else:
        tree[last] = value


def _one_network(tree: dict[str, Any], said: set[str]) -> None:
    """Let a network that is named by a word replace the recipe's own, whichever way that was given."""
    model = tree.get("model")
    if not isinstance(model, dict):
        return
    if said & {"model", "model.name"}:
        for key in {"backbone", "attention"} - {word.removeprefix("model.") for word in said}:
            model.pop(key, None)
    elif "model.backbone" in said:
        model.pop("name", None)


def _explain(problem: Any) -> str:
    where = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        return unknown("key", ".".join(where), _siblings(where[:-1]))
    if problem["type"] == "missing":
        return f"{'.'.join(where)} is missing: give it in the recipe or as {'.'.join(where)}=…"
    if problem["type"] in {"tuple_type", "list_type"}:
        return f"{'.'.join(where)}: a list is wanted, written [a,b] (came: {problem['input']!r})"
    came = "" if isinstance(problem["input"], dict | BaseModel) else f" (came: {problem['input']!r})"
    return f"{'.'.join(where) + ': ' if where else ''}{problem['msg'].removeprefix('Value error, ')}{came}"


def _siblings(path: Iterable[str]) -> list[str]:
    """Give every key that stands beside the one at ``path``, with its section."""
    section: type[BaseModel] = Recipe
    for name in path:
        section = section.model_fields[name].annotation  # type: ignore[assignment]
    prefix = "".join(f"{name}." for name in path)
    return [prefix + key for key in section.model_fields]
