"""Tables and splits of a plan: those that several rows have in common are read once."""

import json
from collections.abc import Sequence
from pathlib import Path

from lesionlens.datasets.registry import load_table
from lesionlens.datasets.table import LesionTable
from lesionlens.runs.schema import Recipe
from lesionlens.training.setup import TaskData, read_task_data


class PlanData:
    """Reader of tables and splits that returns the same objects for the same request; tables are not changed."""

    def __init__(self) -> None:
        self._tables: dict[str, LesionTable] = {}
        self._task_data: dict[str, TaskData] = {}
        self._originals: dict[str, str] = {}

    def add_missing_copy(self, source: str, original: str) -> None:
        """Read the original of a copy with artifacts as long as the copy is not generated: it has the same images."""
        if not Path(source.partition(":")[2]).exists():
            self._originals[source] = original

    def load(
        self, source: str, *, classes: Sequence[str] | None = None, within_root: bool = False
    ) -> LesionTable:
        """Return a table, as ``load_table`` does."""
        source = self._originals.get(source, source)
        key = json.dumps([source, classes, within_root])
        if key not in self._tables:
            self._tables[key] = load_table(source, classes=classes, within_root=within_root)
        return self._tables[key]

    def read(self, recipe: Recipe) -> TaskData:
        """Return the data of a recipe, as ``read_task_data`` does."""
        key = json.dumps([recipe.data.model_dump(mode="json"), recipe.n_folds, recipe.fold])
        if key not in self._task_data:
            self._task_data[key] = read_task_data(recipe, load=self.load)
        return self._task_data[key]
