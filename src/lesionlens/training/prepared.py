"""What is known of a run before anything is computed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lesionlens.data.splits import Split
from lesionlens.data.table import LesionTable
from lesionlens.data.tasks import Task
from lesionlens.preprocessing import Preprocessing
from lesionlens.training.left_out import LeftOut
from lesionlens.training.network import Wanted
from lesionlens.training.recipe import Recipe

SYNTHETIC = "These pictures were drawn by LesionLens; the numbers say nothing about real lesions."


@dataclass(frozen=True)
class Prepared:
    """What is known before anything is computed.

    Attributes
    ----------
    recipe
        As it was given; its crops as the network needs them.
    table, task, split
        The images, what is asked of them, and which part each is in.
    preprocessing
        For the model's card; with ``normalisation: dataset`` its mean and std are not yet measured.
    network
        How the network is made.
    left_out
        Images of the sources that take no part, with the reasons.
    prior
        What the masks of the prior came to, once they are read; empty without a prior.
    """

    recipe: Recipe
    table: LesionTable
    task: Task
    split: Split
    preprocessing: Preprocessing
    network: Wanted
    left_out: tuple[LeftOut, ...] = ()
    prior: Mapping[str, Any] = field(default_factory=dict)

    def part(self, name: str) -> LesionTable:
        """Give the rows of a part."""
        return self.table.select(self.split.parts[name])

    def targets(self, name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Give the class of each image of a part, (n,)."""
        return self.task.targets(self.part(name).frame["diagnosis"])

    def facts(self) -> Mapping[str, Any]:
        """Say for ``run.json`` what it is trained on."""
        synthetic = (self.table.frame["source"] == "synthetic").any()
        return {
            "source": self.recipe.data.source,
            "statement": SYNTHETIC if synthetic else "",
            "fingerprint": self.table.fingerprint(),
            "task": self.task.name,
            "classes": list(self.task.classes),
            "warnings": list(self.table.warnings),
            "split": self.split.how,
            "remarks": list(self.split.remarks),
            "left_out": len(self.left_out),
            "prior": dict(self.prior),
            "parts": {name: self._facts(name) for name in self.split.parts},
        }

    def _facts(self, name: str) -> Mapping[str, Any]:
        counts = np.bincount(self.targets(name), minlength=len(self.task.classes))
        return {
            "images": int(counts.sum()),
            "lesions": int(self.part(name).frame["lesion_id"].nunique()),
            "classes": dict(zip(self.task.classes, counts.tolist(), strict=True)),
        }
