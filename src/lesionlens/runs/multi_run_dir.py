"""Directory of several runs of one recipe, repeats or folds: the runs that belong to it, and the paths of its files."""

from pathlib import Path
from typing import NamedTuple

from lesionlens.runs.run_dir import RunDir, RunMetadata
from lesionlens.runs.schema import Recipe

STATUS_FINISHED = "finished"
STATUS_FAILED = "failed"
STATUS_INTERRUPTED = "interrupted"
STATUS_MISSING = "missing"


class RunSpec(NamedTuple):
    """Name of one run, which is that of its directory, and its recipe."""

    name: str
    recipe: Recipe


def expand_runs(recipe: Recipe) -> list[RunSpec]:
    """Return the runs of a recipe in order; a recipe with one run has one entry with an empty name.

    Repeat r, counted from 0, has the seed ``train.seed + r``. A recipe with ``n_folds`` but no ``fold`` uses all
    folds in turn, with the same seed for all folds of a repeat.
    """
    width = max(2, len(str(recipe.num_repeats)))
    is_single_fold = recipe.n_folds is None or recipe.fold is not None
    folds = [recipe.fold] if is_single_fold else list(range(recipe.n_folds or 0))
    specs = []
    for repeat in range(recipe.num_repeats):
        train = recipe.train.model_copy(update={"seed": recipe.train.seed + repeat})
        for fold in folds:
            names = [f"run-{repeat + 1:0{width}d}"] if recipe.num_repeats > 1 else []
            names += [f"fold-{fold}"] if len(folds) > 1 else []
            single = recipe.model_copy(update={"num_repeats": 1, "fold": fold, "train": train})
            specs.append(RunSpec("-".join(names), single))
    return specs


class MultiRunDir(RunMetadata):
    """Directory of several runs, with the paths of its files."""

    METADATA_FILE = "multi_run.json"

    @property
    def summary_csv(self) -> Path:
        """Path of the table with statistics of each metric over the runs."""
        return self.path / "summary.csv"

    @property
    def summary_md(self) -> Path:
        """Path of the same table as Markdown."""
        return self.path / "summary.md"

    @property
    def report(self) -> Path:
        """Path of the report of all runs."""
        return self.path / "report.html"

    def run_dir(self, name: str) -> RunDir:
        """Return the directory of one run."""
        return RunDir(self.path / name)

    def traceback_path(self, name: str) -> Path:
        """Path of the traceback of a failed run."""
        return self.path / "errors" / f"{name}.txt"

    def status(self, name: str) -> str:
        """Return the status of a run according to its directory: finished, interrupted or missing."""
        run_dir = self.run_dir(name)
        if not run_dir.exists():
            return STATUS_MISSING
        return STATUS_FINISHED if run_dir.status() == STATUS_FINISHED else STATUS_INTERRUPTED
