"""A recipe's file, shipped or one's own, laid over the recipe that its ``base:`` names."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from lesionlens.core.errors import RecipeError, unknown_name_message
from lesionlens.runs.schema import Recipe

# what a section that is given as one text means
SHORTHAND_KEYS = {"data": "source", "model": "name", "augment": "preset", "attention_prior": "target"}

_BUILTIN_DIR = files("lesionlens") / "reproduction" / "recipes"
_YAML_SUFFIXES = (".yaml", ".yml")


@cache
def builtin_recipes() -> Mapping[str, Traversable]:
    """Recipes that come with the package: ``arl/cnn50``, ``arl/table5/channel-melanoma`` and so on."""
    return MappingProxyType(dict(_iter_recipes(_BUILTIN_DIR, "")))


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


def _iter_recipes(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _iter_recipes(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_YAML_SUFFIXES):
            yield prefix + entry.name.rpartition(".")[0], entry


def _read_with_bases(name: str, relative_to: Path, base_chain: tuple[str, ...]) -> dict[str, Any]:
    """Read one file and its bases; relative paths are looked for beside the file that names them."""
    ours = builtin_recipes()
    file: Traversable | Path
    if name in ours:
        file, identity = ours[name], name
    elif Path(name).suffix in _YAML_SUFFIXES:
        file = relative_to / name
        identity = str(file.resolve())
    else:
        kind = f"base of the recipe {base_chain[-1]}:" if base_chain else "recipe"
        near = unknown_name_message(kind, name, ours).partition(" Allowed:")[0].rstrip(":")
        raise RecipeError(f"{near} All are listed by: lesionlens recipes. Or give the path of a .yaml file")
    if identity in base_chain:
        raise RecipeError(
            f"recipes that are each other's base: {' → '.join((*base_chain, identity))}; one must go"
        )
    tree = _read_yaml(file, str(file) if base_chain else name)
    base = tree.pop("base", None)
    if base is None:
        return tree
    if not isinstance(base, str):
        raise RecipeError(f"base: {base!r} in the recipe {name}; give one name or one file")
    here = file.parent if isinstance(file, Path) else relative_to
    return merge(_read_with_bases(base, here, (*base_chain, identity)), tree)


def _read_yaml(file: Traversable | Path, name: str) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RecipeError(f"cannot read the recipe {name}: {reason}") from error
    if not isinstance(tree, dict):
        raise RecipeError(f"the recipe {name} is no table of sections")
    return tree


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
