"""A recipe that is run more than once: which runs it means, and the folder that holds them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lesionlens.atomic import write_text
from lesionlens.training.folder import RunFolder
from lesionlens.training.recipe import Recipe

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


@dataclass(frozen=True)
class GroupFolder:
    """The places in a group's folder.

    Attributes
    ----------
    path
        The folder.
    """

    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe of the group."""
        return self.path / "recipe.yaml"

    @property
    def table(self) -> Path:
        """Each metric over the runs."""
        return self.path / "summary.csv"

    @property
    def page(self) -> Path:
        """The same to be read."""
        return self.path / "summary.md"

    @property
    def _record(self) -> Path:
        return self.path / "group.json"

    def is_group(self) -> bool:
        """Say whether there is a group here."""
        return self._record.is_file() and self.recipe.is_file()

    def child(self, name: str) -> RunFolder:
        """Give the folder of one run."""
        return RunFolder(self.path / name)

    def trace(self, name: str) -> Path:
        """Where it is written how a run came to fail."""
        return self.path / "errors" / f"{name}.txt"

    def record(self) -> dict[str, Any]:
        """Read what is known of the group."""
        found: dict[str, Any] = json.loads(self._record.read_text(encoding="utf-8"))
        return found

    def note(self, **facts: Any) -> None:
        """Add facts to the record."""
        known = self.record() if self._record.is_file() else {}
        write_text(self._record, json.dumps({**known, **facts}, indent=2, ensure_ascii=False) + "\n")

    def status(self, name: str) -> str:
        """Say how far a run came: what its folder holds, not what was hoped for."""
        child = self.child(name)
        if not child.is_run():
            return MISSING
        return FINISHED if child.record()["status"] == FINISHED else INTERRUPTED
