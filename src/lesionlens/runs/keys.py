"""Reference of the recipe keys, generated from the schema: names, allowed values, defaults and descriptions."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from lesionlens.runs.schema import Recipe
from lesionlens.runs.train_schema import find_subsections

TOP_LEVEL = "runs"  # title of the keys that are not in a section
INTRO = (
    "A recipe consists of sections of keys. All keys except `data.source` and the model have a default, and unknown "
    "keys are rejected. Override a key on the command line with `section.key=value`; `lesionlens recipes --keys` "
    "prints this list. See also: [Training recipes](recipes.md)."
)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")  # Markdown link


class RecipeKey(NamedTuple):
    """Key of a recipe.

    Attributes
    ----------
    section
        Top-level section that contains the key; empty for a top-level key.
    name
        Name of the key in its section, for example ``epochs`` or ``lr_scheduler.gamma``.
    allowed
        Type, or allowed values.
    default
        Default value as in YAML; ``required`` if there is none.
    description
        Meaning of the key, in Markdown.
    """

    section: str
    name: str
    allowed: str
    default: str
    description: str

    @property
    def full_name(self) -> str:
        """Name as on the command line, for example ``train.epochs``."""
        return f"{self.section}.{self.name}" if self.section else self.name


def recipe_keys() -> list[RecipeKey]:
    """Return all keys of a recipe in the order of the schema, top-level keys last."""
    sections = find_subsections(Recipe)
    keys = [key for name, model in sections.items() for key in _section_keys(name, model, model.model_fields)]
    return keys + list(
        _section_keys("", Recipe, [name for name in Recipe.model_fields if name not in sections])
    )


def recipe_keys_page() -> str:
    """Return the reference of the recipe keys as Markdown, without a title."""
    tables: dict[str, list[RecipeKey]] = {}
    for key in recipe_keys():
        tables.setdefault(key.section or TOP_LEVEL, []).append(key)
    return "\n\n".join([INTRO, *(_markdown_table(title, keys) for title, keys in tables.items())]) + "\n"


def recipe_keys_text(width: int) -> str:
    """Return the reference of the recipe keys for a terminal with a number of columns."""
    indent = " " * 4
    blocks = []
    for key in recipe_keys():
        head = f"{key.full_name}: {key.allowed} (default: {key.default})".replace("`", "")
        lines = textwrap.wrap(head, width, subsequent_indent=indent, break_on_hyphens=False)
        description = _LINK.sub(r"\1", key.description).replace("`", "")
        blocks += [
            *lines,
            textwrap.indent(textwrap.fill(description, width - len(indent), break_on_hyphens=False), indent),
        ]
    return "\n".join(blocks)


def _markdown_table(title: str, keys: list[RecipeKey]) -> str:
    rows = [f"| `{key.name}` | {key.allowed} | `{key.default}` | {key.description} |" for key in keys]
    return "\n".join(
        [f"## {title}", "", "| key | values | default | description |", "| --- | --- | --- | --- |", *rows]
    )


def _section_keys(
    section: str, model: type[BaseModel], names: Iterable[str], prefix: str = ""
) -> Iterator[RecipeKey]:
    properties, subsections = model.model_json_schema()["properties"], find_subsections(model)
    for name in names:
        if name in subsections:
            inner = subsections[name]
            yield from _section_keys(section, inner, inner.model_fields, f"{prefix}{name}.")
            continue
        entry, default = properties[name], _format_default(model, name)
        yield RecipeKey(section, prefix + name, _format_allowed(entry), default, entry.get("description", ""))


def _format_default(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    return "required" if field.is_required() else _format_value(field.get_default(call_default_factory=True))


def _format_value(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case tuple():
            return f"[{', '.join(map(_format_value, value))}]"
        case _:
            return str(value)


def _format_allowed(entry: Mapping[str, Any]) -> str:
    """Format the JSON schema of a key, for example ``integer ≥ 1`` or ``fp32, bf16``.

    Examples
    --------
    >>> _format_allowed({"type": "integer", "minimum": 1})
    'integer ≥ 1'
    >>> _format_allowed({"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 2}, {"type": "null"}]})
    'number > 0, ≤ 2; null'
    """
    if "anyOf" in entry:
        return "; ".join(map(_format_allowed, entry["anyOf"]))
    if "enum" in entry or "const" in entry:
        return ", ".join(f"`{value}`" for value in entry.get("enum", [entry.get("const")]))
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {entry[name]:,.10g}" for name, sign in limits.items() if name in entry]
    kind = {"array": "list", "object": "mapping", "string": "text"}.get(entry["type"], entry["type"])
    return " ".join([kind, ", ".join(bounds)]).strip()
