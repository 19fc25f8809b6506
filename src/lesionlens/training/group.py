"""A recipe that is run more than once: which runs it means, and the folder that holds them."""

from pathlib import Path
from typing import NamedTuple

from lesionlens.training.folder import RunFolder
from lesionlens.training.recipe import Recipe
from lesionlens.training.record import Recorded

FINISHED, FAILED, INTERRUPTED, MISSING = "finished", "failed", "interrupted", "missing"


class Child(NamedTuple):
    """One run of a group: the name of its folder, and its own recipe."""

    name: str
    recipe: Recipe


def children(recipe: Recipe) -> list[Child]:
    """Give each run that a recipe means, in order; one that is run once is its own only run.

    Run r has the seed ``train.seed + r``. A recipe with ``folds`` and no ``fold`` is run on each fold in turn, all
    folds of a run with the same seed.
    """
    width = max(2, len(str(recipe.runs)))
    folds = [recipe.fold] if recipe.folds is None or recipe.fold is not None else list(range(recipe.folds))
    found = []
    for run in range(recipe.runs):
        train = recipe.train.model_copy(update={"seed": recipe.train.seed + run})
        for fold in folds:
            names = [f"run-{run + 1:0{width}d}"] * (recipe.runs > 1) + [f"fold-{fold}"] * (len(folds) > 1)
            own = recipe.model_copy(update={"runs": 1, "fold": fold, "train": train})
            found.append(Child("-".join(names), own))
    return found


class GroupFolder(Recorded):
    """The places in a group's folder."""

    RECORD = "group.json"

    @property
    def table(self) -> Path:
        """Each metric over the runs."""
        return self.path / "summary.csv"

    @property
    def page(self) -> Path:
        """The same to be read."""
        return self.path / "summary.md"

    def child(self, name: str) -> RunFolder:
        """Give the folder of one run."""
        return RunFolder(self.path / name)

    def trace(self, name: str) -> Path:
        """Where it is written how a run came to fail."""
        return self.path / "errors" / f"{name}.txt"

    def status(self, name: str) -> str:
        """Say how far a run came: what its folder holds, not what was hoped for."""
        child = self.child(name)
        if not child.is_there():
            return MISSING
        return FINISHED if child.record()["status"] == FINISHED else INTERRUPTED
