"""YAML files of recipes and tables that ship with the package, by name."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lesionlens.core.errors import RecipeError
from lesionlens.runs.yaml_documents import parse_yaml

YAML_SUFFIXES = (".yaml", ".yml")

_RESOURCES = files("lesionlens") / "reproduction"


@cache
def builtin_recipes() -> Mapping[str, Traversable]:
    """Return the base recipes by name, such as ``arl/cnn50``; rows of tables extend them."""
    return MappingProxyType(dict(_iter_yaml(_RESOURCES / "recipes", "")))


@cache
def builtin_tables() -> Mapping[str, Traversable]:
    """Return the tables and figures of the papers by name, such as ``arl/table5``."""
    return MappingProxyType(dict(_iter_yaml(_RESOURCES / "tables", "")))


def is_yaml_path(name: str) -> bool:
    """Whether a name is the path of a YAML file."""
    return name.endswith(YAML_SUFFIXES)


def read_yaml_mapping(file: Traversable | Path, label: str) -> dict[str, Any]:
    """Read a YAML file that holds a mapping, with unquoted words as they are written.

    Parameters
    ----------
    label
        Name of the file in error messages, such as ``the recipe mine.yaml``.

    Raises
    ------
    RecipeError
        The file cannot be read, is not valid YAML or holds something other than a mapping.
    """
    try:
        tree = parse_yaml(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"cannot read {label}: byte {error.start:,} is not UTF-8; save it as UTF-8"
        ) from error
    except (OSError, ValueError, RecipeError) as error:  # ValueError: a path with a null byte
        reason = getattr(error, "strerror", None) or error
        raise RecipeError(f"cannot read {label}: {reason}") from error
    if not isinstance(tree, dict):
        raise RecipeError(f"{label} must be a YAML mapping of keys to values")
    return tree


def _iter_yaml(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _iter_yaml(entry, f"{prefix}{entry.name}/")
        elif is_yaml_path(entry.name):
            yield prefix + entry.name.rpartition(".")[0], entry
