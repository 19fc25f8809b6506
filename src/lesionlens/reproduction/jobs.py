"""One run that an experiment needs: named by all that decides its outcome, so that equal rows share it."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lesionlens.runs.run_dir import RunDir
from lesionlens.runs.schema import Recipe
from lesionlens.training.multi_run import STATUS_FINISHED, expand_runs

_MACHINE_KEYS = {"train": {"device", "num_workers", "num_threads", "compile"}, "data": {"cache", "cache_dir"}}


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes
    ----------
    key
        Name of its folder: network, task, seed, fold, and a digest of the whole recipe.
    recipe
        Of one run and one fold.
    run, fold
        Which of the recipe's repeats, from 0.
    """

    key: str
    recipe: Recipe
    run: int
    fold: int | None

    def run_dir(self, out: Path) -> RunDir:
        """Give its place in a reproduction's folder."""
        return RunDir(out / "jobs" / self.key)

    def is_finished(self, out: Path) -> bool:
        """Say whether it is done to the end."""
        folder = self.run_dir(out)
        return folder.exists() and folder.metadata()["status"] == STATUS_FINISHED


def expand_jobs(recipe: Recipe, out: Path) -> list[Job]:
    """Give every run that a recipe means.

    Parameters
    ----------
    out
        Folder of the reproduction: paths inside it mean the same on every machine.
    """
    found = []
    for number, child in enumerate(expand_runs(recipe)):
        folds = 1 if recipe.n_folds is None or recipe.fold is not None else recipe.n_folds
        fold = child.recipe.fold
        seed = f"s{child.recipe.train.seed}" + ("" if fold is None else f"f{fold}")
        key = "-".join([*_key_prefix(child.recipe), seed, recipe_digest(child.recipe, out)])
        found.append(Job(key, child.recipe, number // folds, fold))
    return found


def _key_prefix(recipe: Recipe) -> list[str]:
    """Give words for people: which network, asked what."""
    said = recipe.model
    network = [said.name] if said.name else [str(said.backbone), said.attention or "none"]
    return [re.sub(r"[^\w.+]", "_", word) for word in (*network, recipe.data.task)]


def recipe_digest(recipe: Recipe, out: Path) -> str:
    """Give eight characters for all that decides a run's outcome, wherever the data lie and whatever computes."""
    tree = recipe.model_dump(mode="json")
    for section, keys in _MACHINE_KEYS.items():
        tree[section] = {key: value for key, value in tree[section].items() if key not in keys}
    text = json.dumps(_machine_independent_tree(tree, out), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _machine_independent_tree(tree: dict[str, Any], out: Path) -> dict[str, Any]:
    data, model = tree["data"], tree["model"]
    for key in ("source", "mask_dir"):
        if data[key]:
            data[key] = machine_independent(data[key], out)
    data["extra_train"] = [machine_independent(each, out) for each in data["extra_train"]]
    model["weights"] = Path(model["weights"]).name
    return tree


def machine_independent(source: str, out: Path) -> str:
    """Name a source without the machine's folders: relative to the reproduction, else by its kind and last folder."""
    kind, colon, path = source.rpartition(":")
    place = Path(path).expanduser()
    inside = place.absolute().is_relative_to(out.absolute())
    shown = (
        place.absolute().relative_to(out.absolute()).as_posix() if inside else place.name if not colon else ""
    )
    return f"{kind}{colon}{shown}"
