"""Runs of a table: each is named by everything that determines its result, so that equal rows share it."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from lesionlens.reproduction.machine_paths import machine_independent
from lesionlens.reproduction.mask_steps import MaskStep
from lesionlens.runs.multi_run_dir import STATUS_FINISHED, expand_runs
from lesionlens.runs.run_dir import RunDir
from lesionlens.runs.schema import Recipe

_MACHINE_KEYS = {
    "train": {"device", "num_workers", "num_threads", "compile"},
    "data": {"cache", "cache_dir", "within_root"},
}
# keys that were added to the schema later, with the value that all earlier runs have
_LATER_KEYS = (
    ("data", "max_images", None),
    ("data", "calibration", 0.0),
    ("train", "epsilon_placement", "torch"),
    ("crops.train", "resample", True),
    ("crops", "seed", None),
    ("data", "near_duplicates", "separate"),
    ("train", "label_smoothing", 0.0),
    ("train", "mixup", 0.0),
)


@dataclass(frozen=True)
class Job:
    """A run of one repeat and one fold.

    Attributes
    ----------
    key
        Name of the run's folder: network, task, seed, fold, and a digest of the full recipe.
    recipe
        Recipe of this repeat and fold.
    run, fold
        Indices of repeat and fold, from 0; ``fold`` is None without folds.
    requires
        Step that predicts the masks which the run uses; None if it uses no such masks.
    """

    key: str
    recipe: Recipe
    run: int
    fold: int | None
    requires: MaskStep | None = None

    def run_dir(self, out: Path) -> RunDir:
        """Return the run's folder inside the folder of a reproduction."""
        return RunDir(out / "jobs" / self.key)

    def is_finished(self, out: Path) -> bool:
        """Return whether the run is finished."""
        folder = self.run_dir(out)
        return folder.exists() and folder.status() == STATUS_FINISHED


def expand_jobs(recipe: Recipe, out: Path, *, masks: MaskStep | None = None) -> list[Job]:
    """Return the runs of a recipe: one per repeat and fold.

    Parameters
    ----------
    out
        Folder of the reproduction. Paths inside it count as equal on every machine.
    masks
        Step that predicts masks; runs that use its folder require it.
    """
    uses_masks = masks is not None and recipe.data.mask_dir == str(masks.folder(out))
    jobs = []
    for number, child in enumerate(expand_runs(recipe)):
        folds = 1 if recipe.n_folds is None or recipe.fold is not None else recipe.n_folds
        fold = child.recipe.fold
        seed = f"s{child.recipe.train.seed}" + ("" if fold is None else f"f{fold}")
        key = "-".join([*_key_prefix(child.recipe), seed, recipe_digest(child.recipe, out)])
        jobs.append(Job(key, child.recipe, number // folds, fold, masks if uses_masks else None))
    return jobs


def _key_prefix(recipe: Recipe) -> list[str]:
    """Return the readable part of a key: network and task."""
    model = recipe.model
    network = [model.name] if model.name else [str(model.backbone), model.attention or "none"]
    return [re.sub(r"[^\w.+]", "_", word) for word in (*network, recipe.data.task)]


def recipe_digest(recipe: Recipe, out: Path) -> str:
    """Return a digest (8 characters) of everything that determines a run's result, whatever the machine and paths."""
    tree = recipe.model_dump(mode="json")
    for section, keys in _MACHINE_KEYS.items():
        tree[section] = {key: value for key, value in tree[section].items() if key not in keys}
    for section, key, default in _LATER_KEYS:
        values: dict[str, Any] = reduce(getitem, section.split("."), tree)
        if values[key] == default:  # as in runs of earlier versions, which have no such key
            del values[key]
    text = json.dumps(_machine_independent_tree(tree, out), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _machine_independent_tree(tree: dict[str, Any], out: Path) -> dict[str, Any]:
    data, model = tree["data"], tree["model"]
    for key in ("source", "mask_dir"):
        if data[key]:
            data[key] = machine_independent(data[key], out)
    data["extra_train"] = [machine_independent(source, out) for source in data["extra_train"]]
    model["weights"] = Path(model["weights"]).name
    return tree
