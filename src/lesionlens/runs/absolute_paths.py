"""Absolute paths in recipes, so that a run can be resumed from any working directory."""

import os
from collections.abc import Collection
from pathlib import Path

from lesionlens.core.errors import RunError
from lesionlens.data.mask_store import MASK_KINDS
from lesionlens.datasets.registry import DATASETS
from lesionlens.datasets.splits.factory import SPLIT_NAMES
from lesionlens.runs.schema import Recipe


def with_absolute_paths(recipe: Recipe) -> Recipe:
    """Return a recipe whose paths are absolute.

    Paths of files and directories that do not exist stay as they are, so that errors name them as the user did.
    """
    data, model, prior = recipe.data, recipe.model, recipe.attention_prior
    paths = {
        "source": absolute_source(data.source),
        "extra_train": tuple(map(absolute_source, data.extra_train)),
        "split": absolute_path(data.split, names=SPLIT_NAMES),
        "mask_dir": data.mask_dir and absolute_path(data.mask_dir),
        "cache_dir": data.cache_dir and os.path.abspath(Path(data.cache_dir).expanduser()),
    }
    sections = {
        "data": data.model_copy(update=paths),
        "model": model.model_copy(
            update={"weights": absolute_path(model.weights, names=("none", "imagenet"))}
        ),
        "attention_prior": prior.model_copy(
            update={"target": absolute_path(prior.target, names=("none", *MASK_KINDS))}
        ),
    }
    return recipe.model_copy(update=sections)


def absolute_source(source: str) -> str:
    """Return a source, ``NAME:ROOT`` or a path, with an absolute path.

    Examples
    --------
    >>> absolute_source("ham10000:/"), absolute_source("no/such/table.csv")
    ('ham10000:/', 'no/such/table.csv')
    """
    name, colon, root = source.partition(":")
    if colon and name in DATASETS and not Path(source).expanduser().exists():
        return f"{name}:{absolute_path(root)}"
    return absolute_path(source)


def absolute_path(path: str, *, names: Collection[str] = ()) -> str:
    """Return the absolute path if the file or directory exists and the text is not one of the names."""
    existing = Path(path).expanduser()
    return os.path.abspath(existing) if path and path not in names and existing.exists() else path


def check_data_paths(recipe: Recipe, run_dir: Path) -> None:
    """Raise an error if data of a run that is resumed is no longer at its path.

    Raises
    ------
    RunError
        An absolute path of the recipe does not exist: the message has all of them.
    """
    data = recipe.data
    sources = [_root(source) for source in (data.source, *data.extra_train)]
    paths = [*sources, data.split, data.mask_dir or "", recipe.attention_prior.target]
    missing = [path for path in paths if os.path.isabs(path) and not os.path.exists(path)]
    if missing:
        raise RunError(
            f"the run {run_dir} reads its data from {' and '.join(missing)}, which does not exist any more. Move it "
            f"back, or start a new run with its new path: lesionlens train {run_dir / 'recipe.yaml'} data=…"
        )


def _root(source: str) -> str:
    name, colon, root = source.partition(":")
    return root if colon and name in DATASETS else source
