"""Differences of runs from the paper's protocol: with any, their values are not compared with published ones."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from lesionlens.datasets.summary import table_completeness
from lesionlens.datasets.table import LesionTable
from lesionlens.evaluation.formatting import display_name
from lesionlens.runs.schema import Recipe

# what the machine has: no key of these changes a result
MACHINE_KEYS = {
    "data.cache_dir", "data.within_root", "train.device", "train.num_workers", "train.num_threads", "train.compile",
}  # fmt: skip
LOSSLESS_CACHES = {"auto", "memmap", "none"}


def recipe_differences(recipe: Recipe, paper: Recipe) -> tuple[str, ...]:
    """Return the keys whose values differ from those of the paper's recipe, with both values.

    Keys of the machine do not count.

    Parameters
    ----------
    recipe
        Recipe of a row, before it is expanded into repeats and folds.
    paper
        Recipe of the same row in the ``paper`` profile, with the same sources of data.
    """
    values, paper_values = dict(_leaves(recipe)), dict(_leaves(paper))
    return tuple(
        f"{key}={_format(value)} (protocol: {_format(paper_values[key])})"
        for key, value in values.items()
        if value != paper_values[key] and not _is_neutral(key, value)
    )


def run_differences(metadata: Mapping[str, Any], fingerprint: str) -> Iterator[str]:
    """Yield what a finished run did otherwise than the paper's recipe asks for, according to its metadata.

    Parameters
    ----------
    metadata
        Contents of the run's ``metadata.json``.
    fingerprint
        Fingerprint of the present dataset; "" if the run uses another one.
    """
    auto_values = metadata.get("auto_values", {})
    if (precision := auto_values.get("train.precision", "fp32")) != "fp32":
        yield f"train.precision={precision} (protocol: fp32)"
    if auto_values.get("data.cache") == "jpeg":
        yield "data.cache=jpeg, which compresses the images again"
    if fingerprint and metadata["data"].get("fingerprint") not in (None, fingerprint):
        yield "other images or labels than those of the dataset now"


def describe_extra_images(added: Mapping[str, int], published: Mapping[str, int]) -> str:
    """Return how many extra training images of each class were added, and how many the paper has.

    Examples
    --------
    >>> describe_extra_images({"nevus": 12, "melanoma": 466}, {"melanoma": 466})
    'Extra training images: 466 of melanoma (paper: 466), 12 of nevus (paper: 0).'
    """
    counts = (
        f"{added.get(name, 0):,} of {display_name(name)} (paper: {published.get(name, 0):,})"
        for name in dict.fromkeys([*published, *added])
    )
    return f"Extra training images: {', '.join(counts)}."


def dataset_differences(table: LesionTable) -> Iterator[str]:
    """Yield a difference if images of an official dataset are missing."""
    state = table_completeness(table)
    if state.startswith("no: "):
        yield f"an incomplete dataset: {state.removeprefix('no: ').removesuffix(' images')} images"


def merge_differences(by_row: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return each difference once; those of some rows only with the names of these rows.

    Examples
    --------
    >>> merge_differences({"a": ["x", "y"], "b": ["x"]})
    ('x', 'y (row a)')
    """
    rows: dict[str, list[str]] = {}
    for row, texts in by_row.items():
        for text in dict.fromkeys(texts):
            rows.setdefault(text, []).append(row)
    return tuple(
        text if len(names) == len(by_row) else f"{text} (row{'s' * (len(names) > 1)} {', '.join(names)})"
        for text, names in rows.items()
    )


def _leaves(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each key of a recipe with its value."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _is_neutral(key: str, value: object) -> bool:
    if key == "data.cache":
        return value in LOSSLESS_CACHES
    return key in MACHINE_KEYS


def _format(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
