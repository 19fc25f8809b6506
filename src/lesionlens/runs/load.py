"""Load recipes: a built-in recipe, a table row or a YAML file, merged over its base, with overrides."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from lesionlens.core.errors import RecipeError, shorten_repr, unknown_name_message
from lesionlens.runs.authors_code import (
    AUTHORS_KEY,
    AUTHORS_SUFFIX,
    CodeDifference,
    differences_of,
    parse_code_differences,
)
from lesionlens.runs.flow_values import parse_flow, unquote
from lesionlens.runs.plain_scalars import field_type, is_null, is_text, type_scalars
from lesionlens.runs.recipe_files import builtin_recipes, is_yaml_path, read_yaml_mapping
from lesionlens.runs.schema import Recipe
from lesionlens.runs.table_rows import find_row_recipe, row_recipe_names
from lesionlens.runs.train_schema import find_subsections

# key that the value of a section sets if it is a string
SHORTHAND_KEYS = {"data": "source", "model": "name", "augment": "preset", "attention_prior": "target"}


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Load and validate a recipe.

    Parameters
    ----------
    name
        Name of a built-in recipe or of a table row, ``TABLE:ROW``, or path of a YAML file; with ``@authors`` at its
        end, the recipe of the authors' code.
    overrides
        Overrides ``section.key=value``, applied in order.

    Raises
    ------
    RecipeError
        The recipe does not exist, is not valid YAML or not valid UTF-8, or keys or values are not allowed; all errors
        listed together.
    """
    if isinstance(overrides, str):
        raise RecipeError(f"overrides is a string, {overrides!r}; pass a list of section.key=value strings")
    raw = read_raw(name)
    apply_overrides(raw, overrides)
    _check_encodable(raw)
    try:
        return Recipe.model_validate(type_scalars(raw, Recipe))
    except ValidationError as error:
        lines = "\n".join(f"  {_format_error(details)}" for details in error.errors())
        raise RecipeError(f"recipe {name} is not valid:\n{lines}") from error


def _check_encodable(raw: dict[str, Any]) -> None:
    """Raise an error if the recipe could not be written to a file, as with file names that are not UTF-8."""
    try:
        json.dumps(raw, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise RecipeError(
            f"{shorten_repr(error.object[max(0, error.start - 40) : error.end])} in the recipe is not UTF-8; rename "
            "the file or folder"
        ) from error


def read_raw(name: str) -> dict[str, Any]:
    """Read a recipe as nested dictionaries, merged over its bases, without validation.

    Raises
    ------
    RecipeError
        The recipe or a base does not exist or is not a YAML mapping, or the bases form a cycle.
    """
    raw = _read_with_bases(name, Path(), ())
    raw.pop(AUTHORS_KEY, None)
    return raw


def code_differences(name: str) -> list[CodeDifference]:
    """Return what the authors' code does otherwise than the text of the paper, for a recipe or a table row.

    Raises
    ------
    RecipeError
        The recipe does not exist, or is invalid.
    """
    return list(differences_of(_read_with_bases(name, Path(), ())))


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Merge a recipe over its base: mappings are merged, all other values are replaced.

    A model replaces that of the base, whether given as a name or as a backbone; so does an augmentation preset.

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
    """Return a section as a mapping if it is a string: ``model: arl_cnn14`` becomes ``model: {name: arl_cnn14}``."""
    is_short = name in SHORTHAND_KEYS and isinstance(section, str) and section
    return {SHORTHAND_KEYS[name]: section} if is_short else section


def replace_model(model: Mapping[str, Any], specified_keys: set[str]) -> dict[str, Any]:
    """Return a ``model`` section without the keys that specify another model than the given keys do."""
    removed: set[str] = set()
    if "name" in specified_keys:
        removed = {"backbone", "attention"} - specified_keys
    elif "backbone" in specified_keys:
        removed = {"name"}
    return {key: value for key, value in model.items() if key not in removed}


def apply_overrides(raw: dict[str, Any], overrides: Sequence[str]) -> None:
    """Apply overrides ``section.key=value`` to the sections of a recipe in place.

    A model given by ``model.name`` replaces a backbone with its attention, and the other way round.
    """
    keys = {_apply_override(raw, override) for override in overrides}
    if isinstance(raw.get("model"), dict):
        model_keys = {key.removeprefix("model.") for key in keys if key.startswith("model.")}
        raw["model"] = replace_model(raw["model"], model_keys)


def _read_with_bases(name: str, relative_to: Path, base_chain: tuple[str, ...]) -> dict[str, Any]:
    """Read a recipe merged over its bases; relative paths in a file refer to the directory of that file.

    The points of the authors' code are under ``AUTHORS_KEY``; a name with ``AUTHORS_SUFFIX`` applies them.
    """
    if name.endswith(AUTHORS_SUFFIX):
        return _apply_authors_code(name.removesuffix(AUTHORS_SUFFIX), relative_to, base_chain)
    path = relative_to / name if is_yaml_path(name) else None
    identity = str(path.resolve()) if path else name
    if identity in base_chain:
        chain = " → ".join((*base_chain, identity))
        raise RecipeError(f"recipes are bases of each other: {chain}; remove one base")
    if path is None and name not in builtin_recipes():
        return _read_table_row(name, relative_to, base_chain)
    label = f"the recipe {path if path and base_chain else name}"
    raw = read_yaml_mapping(path or builtin_recipes()[name], label)
    base, points = raw.pop("base", None), parse_code_differences(raw.pop(AUTHORS_KEY, []), label)
    if is_null(base):
        return raw | {AUTHORS_KEY: points}
    if not isinstance(base, str):
        raise RecipeError(
            f"base: {shorten_repr(base)} in {label} is not a string; use the name or the path of one recipe"
        )
    directory = path.parent if path else relative_to
    lower = _read_with_bases(base, directory, (*base_chain, identity))
    return merge(lower, raw | {AUTHORS_KEY: [*lower.get(AUTHORS_KEY, ()), *points]})


def _apply_authors_code(name: str, relative_to: Path, base_chain: tuple[str, ...]) -> dict[str, Any]:
    """Read a recipe and apply the overrides of the authors' code."""
    raw = _read_with_bases(name, relative_to, base_chain)
    points = list(differences_of(raw))
    if not raw.pop(AUTHORS_KEY, ()):
        raise RecipeError(
            f"{name}{AUTHORS_SUFFIX}: no code of the authors is known for this recipe; use {name}, or list the "
            f"points in its file under {AUTHORS_KEY}"
        )
    for point in points:
        apply_overrides(raw, point.overrides_of(raw))
    return raw


def _read_table_row(name: str, relative_to: Path, base_chain: tuple[str, ...]) -> dict[str, Any]:
    """Read the recipe of a table row: that of its base, with the overrides of the row."""
    row = find_row_recipe(name, relative_to)
    if row is None:
        raise RecipeError(_unknown_recipe_message(name, base_chain))
    is_file = is_yaml_path(name.rpartition(":")[0])
    directory = (relative_to / name).parent if is_file else relative_to
    raw = _read_with_bases(row.base, directory, (*base_chain, name))
    apply_overrides(raw, row.overrides)
    return raw


def _unknown_recipe_message(name: str, base_chain: tuple[str, ...]) -> str:
    kind = f"base of the recipe {base_chain[-1]}:" if base_chain else "recipe"
    message = unknown_name_message(kind, name, [*builtin_recipes(), *row_recipe_names()])
    hint = message.partition(" Allowed:")[0].rstrip(":")
    stop = "" if hint.endswith("?") else "."
    return f"{hint}{stop} List all with: lesionlens recipes. Or use the path of a .yaml file"


def _deep_merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(lower)
    for key, value in upper.items():
        current = merged.get(key)
        if isinstance(current, dict) and isinstance(value, dict):
            value = _deep_merge(current, value)
        merged[key] = value
    return merged


def _apply_override(raw: dict[str, Any], override: str) -> str:
    """Apply an override in place and return the full name of its key."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(
            f"{shorten_repr(override)} is not an override; use section.key=value without blanks, such as train.epochs=5"
        )
    if key == "base":
        raise RecipeError(
            f"{shorten_repr(override)}: a base can only be set in a file; or train that recipe by its name"
        )
    value = _parse_value(key, text, override)
    if key in SHORTHAND_KEYS and key != "augment" and isinstance(value, str):  # a preset replaces the section
        key = f"{key}.{SHORTHAND_KEYS[key]}"
    *sections, last = key.split(".")
    _open_section(raw, sections, override)[last] = value
    return key


def _parse_value(key: str, text: str, override: str) -> Any:
    """Return the value of an override: what was typed if its key accepts text, otherwise a list, mapping or word."""
    annotation = field_type(Recipe, key.split("."))
    is_section = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    is_mapping = text.strip().startswith("{") and text.strip().endswith("}")
    if is_text(annotation) or (is_section and not is_mapping):
        return unquote(text)
    try:
        return parse_flow(text)
    except RecipeError as error:
        raise RecipeError(f"the value of {shorten_repr(override)} cannot be read: {error}") from error


def _open_section(raw: dict[str, Any], path: Sequence[str], override: str) -> dict[str, Any]:
    """Return the mapping at a path, which is created if missing; a shorthand on the way becomes a mapping."""
    for depth, name in enumerate(path, 1):
        section = expand_shorthand(name, raw.get(name) or {})
        if not isinstance(section, dict):
            raise RecipeError(
                f"cannot apply {shorten_repr(override)}: {'.'.join(path[:depth])} is {shorten_repr(section)} in the "
                "recipe, not a mapping"
            )
        raw[name] = section
        raw = section
    return raw


_EXPECTED = {  # in place of pydantic's messages about parsing
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "float_parsing": "a number",
    "bool_parsing": "true or false",
}


def _format_error(error: Any) -> str:
    path = [str(name) for name in error["loc"]]
    key = ".".join(name if name.isprintable() else repr(name) for name in path)
    if error["type"] == "extra_forbidden":
        return _unknown_key_message(path)
    if error["type"] == "model_type":
        keys = ", ".join(sorted(_allowed_keys(path)))
        return f"{key} is a section, not a value (got {shorten_repr(error['input'])}). Allowed keys: {keys}"
    if error["type"] == "missing":
        return f"{key} is missing: set it in the recipe or with {key}=…"
    if error["type"] in {"tuple_type", "list_type"}:
        return f"{key}: expected a list, [a,b], got {shorten_repr(error['input'])}"
    if error["type"] in _EXPECTED:
        return f"{key}: expected {_EXPECTED[error['type']]} (got {shorten_repr(error['input'])})"
    value = "" if isinstance(error["input"], dict | BaseModel) else f" (got {shorten_repr(error['input'])})"
    return f"{f'{key}: ' if key else ''}{error['msg'].removeprefix('Value error, ')}{value}"


def _unknown_key_message(path: Sequence[str]) -> str:
    """Return a message for an unknown key, which suggests the key of this name in a subsection if there is one."""
    allowed = _allowed_keys(path[:-1])
    candidates = allowed if path[1:] else list(_nested_keys(Recipe))
    same_name = [key for key in candidates if key.endswith(f".{path[-1]}")]
    suggestion = same_name[0] if len(same_name) == 1 else ""
    return unknown_name_message("key", ".".join(path), allowed, suggestion=suggestion)


def _allowed_keys(path: Sequence[str]) -> list[str]:
    """Return the full names of the keys in a section and its subsections; of a recipe, only those of the sections."""
    section: type[BaseModel] = Recipe
    for name in path:
        section = find_subsections(section)[name]
    return [".".join([*path, key]) for key in _nested_keys(section)] if path else list(Recipe.model_fields)


def _nested_keys(section: type[BaseModel]) -> Iterator[str]:
    yield from section.model_fields
    for name, subsection in find_subsections(section).items():
        yield from (f"{name}.{key}" for key in _nested_keys(subsection))
