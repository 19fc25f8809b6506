"""What is known of a run before anything is computed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lesionlens.data.splits import DatasetSplits
from lesionlens.data.table import LesionTable
from lesionlens.data.tasks import ClassificationTask
from lesionlens.preprocessing import Preprocessing
from lesionlens.training.left_out import ExcludedImage
from lesionlens.training.network import ModelResolution
from lesionlens.training.recipe import Recipe

SYNTHETIC_DATA_NOTICE = "These pictures were drawn by LesionLens; the numbers say nothing about real lesions."


@dataclass(frozen=True)
class RunSetup:
    """What is known before anything is computed.

    Attributes
    ----------
    recipe
        As it was given; its crops as the network needs them.
    table, task, splits
        The images, what is asked of them, and which part each is in.
    preprocessing
        For the model's card; with ``normalisation: dataset`` its mean and std are not yet measured.
    resolved_model
        How the network is made.
    excluded
        Images of the sources that take no part, with the reasons.
    mask_summary
        What the masks of the prior came to, once they are read; empty without a prior.
    """

    recipe: Recipe
    table: LesionTable
    task: ClassificationTask
    splits: DatasetSplits
    preprocessing: Preprocessing
    resolved_model: ModelResolution
    excluded: tuple[ExcludedImage, ...] = ()
    mask_summary: Mapping[str, Any] = field(default_factory=dict)

    def split_table(self, name: str) -> LesionTable:
        """Give the rows of a part."""
        return self.table.select(self.splits.splits[name])

    def targets(self, name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Give the class of each image of a part, (n,)."""
        return self.task.encode_labels(self.split_table(name).frame["diagnosis"])

    def describe(self) -> Mapping[str, Any]:
        """Say for ``run.json`` what it is trained on."""
        synthetic = (self.table.frame["source"] == "synthetic").any()
        return {
            "source": self.recipe.data.source,
            "statement": SYNTHETIC_DATA_NOTICE if synthetic else "",
            "fingerprint": self.table.fingerprint(),
            "task": self.task.name,
            "classes": list(self.task.classes),
            "warnings": list(self.table.warnings),
            "split": self.splits.description,
            "remarks": list(self.splits.caveats),
            "left_out": len(self.excluded),
            "prior": dict(self.mask_summary),
            "parts": {name: self._describe_split(name) for name in self.splits.splits},
        }

    def _describe_split(self, name: str) -> Mapping[str, Any]:
        counts = np.bincount(self.targets(name), minlength=len(self.task.classes))
        return {
            "images": int(counts.sum()),
            "lesions": int(self.split_table(name).frame["lesion_id"].nunique()),
            "classes": dict(zip(self.task.classes, counts.tolist(), strict=True)),
        }
