"""What the authors' released code computes otherwise than the text of their paper: the recipes ``NAME@authors``.

A recipe file lists these points under ``authors``. The recipe itself is the paper's text, and the code's where the text
is silent; ``NAME@authors`` is the same recipe with the overrides of every point that applies to it.
"""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError

from lesionlens.core.errors import RecipeError
from lesionlens.runs.plain_scalars import core_value
from lesionlens.runs.table_rows import StrTuple
from lesionlens.runs.train_schema import ConfigSection

AUTHORS_KEY = "authors"  # key of a recipe file
AUTHORS_SUFFIX = "@authors"  # of the name of a recipe


def _as_items(value: object) -> object:
    return tuple(value.items()) if isinstance(value, Mapping) else value


class CodeDifference(ConfigSection):
    """A point in which the authors' code and the text of their paper differ.

    Attributes
    ----------
    point
        What differs.
    paper, code
        What the paper says and what the code does, in our words.
    when
        Values or patterns of keys, such as ``{model.name: [vgg16, mel_cnn]}``: the point applies to recipes with these.
        Empty: to all.
    overrides
        ``section.key=value`` settings of the code; ``{}`` is the value of the first key of ``when``. Empty: no key
        computes it.
    metrics
        Metric that the code computes, by the metric of the paper.
    """

    point: str
    paper: str
    code: str
    when: Annotated[tuple[tuple[str, StrTuple], ...], BeforeValidator(_as_items)] = ()
    overrides: StrTuple = ()
    metrics: Annotated[tuple[tuple[str, str], ...], BeforeValidator(_as_items)] = ()

    def applies_to(self, raw: Mapping[str, Any]) -> bool:
        """Return whether the point applies to a recipe, given as nested dictionaries."""
        return all(
            any(fnmatchcase(str(_value(raw, key)), pattern) for pattern in patterns)
            for key, patterns in self.when
        )

    def overrides_of(self, raw: Mapping[str, Any]) -> list[str]:
        """Return the overrides for a recipe that the point applies to."""
        value = str(_value(raw, self.when[0][0])) if self.when else ""
        return [override.replace("{}", value) if value else override for override in self.overrides]


def parse_code_differences(tree: object, label: str) -> list[CodeDifference]:
    """Return the points of a recipe file.

    Parameters
    ----------
    tree
        Value of the key ``authors``.
    label
        Name of the file in error messages.

    Raises
    ------
    RecipeError
        A point is invalid.
    """
    try:
        return [CodeDifference.model_validate(point) for point in core_value(tree)]
    except (ValidationError, TypeError) as error:
        raise RecipeError(f"{AUTHORS_KEY} in {label} is not a list of points: {error}") from error


def differences_of(raw: Mapping[str, Any]) -> Iterator[CodeDifference]:
    """Yield the points that apply to a recipe as `read_raw` returns it, before its overrides of the code."""
    yield from (difference for difference in raw.get(AUTHORS_KEY, ()) if difference.applies_to(raw))


def _value(raw: Mapping[str, Any], key: str) -> object:
    """Return the value of a key such as ``model.name``; None if the recipe does not set it."""
    value: Any = raw
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
