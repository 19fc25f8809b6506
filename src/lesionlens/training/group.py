"""A recipe that is run more than once: which runs it means, and the folder that holds them."""

from pathlib import Path
from typing import NamedTuple

from lesionlens.training.folder import RunDir
from lesionlens.training.recipe import Recipe
from lesionlens.training.record import RunMetadata

STATUS_FINISHED, STATUS_FAILED, STATUS_INTERRUPTED, STATUS_MISSING = "finished", "failed", "interrupted", "missing"


class RunSpec(NamedTuple):
    """One run of a group: the name of its folder, and its own recipe."""

    name: str
    recipe: Recipe


def expand_runs(recipe: Recipe) -> list[RunSpec]:
    """Give each run that a recipe means, in order; one that is run once is its own only run.

    Run r has the seed ``train.seed + r``. A recipe with ``folds`` and no ``fold`` is run on each fold in turn, all
    folds of a run with the same seed.
    """
    width = max(2, len(str(recipe.num_repeats)))
    folds = [recipe.fold] if recipe.n_folds is None or recipe.fold is not None else list(range(recipe.n_folds))
    found = []
    for run in range(recipe.num_repeats):
        train = recipe.train.model_copy(update={"seed": recipe.train.seed + run})
        for fold in folds:
            names = [f"run-{run + 1:0{width}d}"] * (recipe.num_repeats > 1) + [f"fold-{fold}"] * (len(folds) > 1)
            own = recipe.model_copy(update={"num_repeats": 1, "fold": fold, "train": train})
            found.append(RunSpec("-".join(names), own))
    return found


class MultiRunDir(RunMetadata):
    """The places in a group's folder."""

    METADATA_FILE = "group.json"

    @property
    def summary_csv(self) -> Path:
        """Each metric over the runs."""
        return self.path / "summary.csv"

    @property
    def summary_md(self) -> Path:
        """The same to be read."""
        return self.path / "summary.md"

    def run_dir(self, name: str) -> RunDir:
        """Give the folder of one run."""
        return RunDir(self.path / name)

    def traceback_path(self, name: str) -> Path:
        """Where it is written how a run came to fail."""
        return self.path / "errors" / f"{name}.txt"

    def status(self, name: str) -> str:
        """Say how far a run came: what its folder holds, not what was hoped for."""
        child = self.run_dir(name)
        if not child.exists():
            return STATUS_MISSING
        return STATUS_FINISHED if child.metadata()["status"] == STATUS_FINISHED else STATUS_INTERRUPTED
