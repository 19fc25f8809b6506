"""A recipe's file, shipped or one's own, laid over the recipe that its ``base:`` names."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from lesionlens.errors import RecipeError, unknown_name_message

# what a section that is given as one text means
SHORTHAND_KEYS = {"data": "source", "model": "name", "augment": "preset", "prior": "masks"}

_BUILTIN_DIR = files("lesionlens") / "experiments" / "recipes"
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
    >>> lay_over({"model": {"backbone": "resnet18", "input_size": 96}}, {"model": "arl_cnn14"})
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
    gone = {"backbone", "attention"} - specified_keys if "name" in specified_keys else {"name"} if "backbone" in specified_keys else set()
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
        both[key] = _deep_merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return both
