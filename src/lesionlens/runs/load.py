"""A recipe's file, shipped or one's own, laid over the recipe that its ``base:`` names."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from lesionlens.core.errors import RecipeError, unknown_name_message
from lesionlens.runs.recipe_files import builtin_recipes, is_yaml_path, read_yaml_mapping
from lesionlens.runs.schema import Recipe
from lesionlens.runs.table_rows import find_row_recipe, row_recipe_names

# what a section that is given as one text means
SHORTHAND_KEYS = {"data": "source", "model": "name", "augment": "preset", "attention_prior": "target"}


def read_raw(name: str) -> dict[str, Any]:
    """Read a shipped recipe or a YAML file as nested sections, with all that it has from its bases.

    Raises
    ------
    RecipeError
        It, or a base, does not exist or is no YAML table; or bases go round in a circle.
    """
    return _read_with_bases(name, Path(), ())


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a recipe's sections over those of its base: tables are merged, all else is replaced.

    A network replaces the base's, whichever way either is given; so does an augmentation that is one name.

    Examples
    --------
    >>> merge({"model": {"backbone": "resnet18", "input_size": 96}}, {"model": "arl_cnn14"})
    {'model': {'input_size': 96, 'name': 'arl_cnn14'}}
    """
    lower = {name: expand_shorthand(name, section) for name, section in base.items()}
    upper = {name: expand_shorthand(name, section) for name, section in overrides.items()}
    if isinstance(lower.get("model"), dict) and isinstance(upper.get("model"), dict):
        lower["model"] = replace_model(lower["model"], set(upper["model"]))
    if isinstance(overrides.get("augment"), str):
        lower.pop("augment", None)
    return _deep_merge(lower, upper)


def expand_shorthand(name: str, section: Any) -> Any:
    """Give a section that is one text as the table that it means."""
    return {SHORTHAND_KEYS[name]: section} if name in SHORTHAND_KEYS and isinstance(section, str) else section


def replace_model(model: Mapping[str, Any], specified_keys: set[str]) -> dict[str, Any]:
    """Take away from a section ``model`` the network that keys said over it replace."""
    gone = (
        {"backbone", "attention"} - specified_keys
        if "name" in specified_keys
        else {"name"}
        if "backbone" in specified_keys
        else set()
    )
    return {key: value for key, value in model.items() if key not in gone}


def _read_with_bases(name: str, relative_to: Path, chain: tuple[str, ...]) -> dict[str, Any]:
    """Read a recipe merged over its bases; relative paths in a file are relative to that file's folder."""
    path = relative_to / name if is_yaml_path(name) else None
    identity = str(path.resolve()) if path else name
    if identity in chain:
        raise RecipeError(
            f"recipes that are each other's base: {' → '.join((*chain, identity))}; one must go"
        )
    if path is None and name not in builtin_recipes():
        return _read_table_row(name, relative_to, chain)
    label = f"the recipe {path if path and chain else name}"
    tree = read_yaml_mapping(path or builtin_recipes()[name], label)
    base = tree.pop("base", None)
    if base is None:
        return tree
    if not isinstance(base, str):
        raise RecipeError(f"base: {base!r} in {label}; give the name or the file of one recipe")
    return merge(_read_with_bases(base, path.parent if path else relative_to, (*chain, identity)), tree)


def _read_table_row(name: str, relative_to: Path, chain: tuple[str, ...]) -> dict[str, Any]:
    """Read the recipe ``TABLE:ROW``: that of its base, with the row's overrides applied."""
    row = find_row_recipe(name, relative_to)
    if row is None:
        raise RecipeError(_unknown_recipe(name, chain))
    folder = (relative_to / name).parent if is_yaml_path(name.rpartition(":")[0]) else relative_to
    tree = _read_with_bases(row.base, folder, (*chain, name))
    apply_overrides(tree, row.overrides)
    return tree


def _unknown_recipe(name: str, chain: tuple[str, ...]) -> str:
    kind = f"base of the recipe {chain[-1]}:" if chain else "recipe"
    hint = unknown_name_message(kind, name, [*builtin_recipes(), *row_recipe_names()])
    return (
        f"{hint.partition(' Allowed:')[0].rstrip(':')} All are listed by: lesionlens recipes. "
        "Or give the path of a .yaml file"
    )


def apply_overrides(tree: dict[str, Any], overrides: Sequence[str]) -> None:
    """Apply ``section.key=value`` settings to a recipe's sections in place.

    A network given by ``model.name`` replaces a backbone with its attention, and the other way round.
    """
    keys = {_apply_override(tree, override) for override in overrides}
    if isinstance(tree.get("model"), dict):
        model_keys = {key.removeprefix("model.") for key in keys if key.startswith("model.")}
        tree["model"] = replace_model(tree["model"], model_keys)


def _deep_merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(lower)
    for key, value in upper.items():
        below = both.get(key)
        both[key] = (
            _deep_merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return both


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
    apply_overrides(tree, overrides)
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
            raise RecipeError(
                f"{section} is {inner!r} in the recipe, no table into which {override!r} could go"
            )
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
