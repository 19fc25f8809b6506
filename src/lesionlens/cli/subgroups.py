"""Option ``--by`` of ``evaluate``: where the columns of subgroups come from, and what is written about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lesionlens.core.errors import PredictionsError

if TYPE_CHECKING:
    from lesionlens.datasets.table import LesionTable
    from lesionlens.evaluation.predictions import Predictions
    from lesionlens.evaluation.subgroups.grouping import Grouping, GroupSpec
    from lesionlens.evaluation.subgroups.metadata import MetadataTable
    from lesionlens.evaluation.subgroups.result import SubgroupReport
    from lesionlens.evaluation.thresholds import DecisionRule
    from lesionlens.runs.run_dir import RunDir


@dataclass(frozen=True)
class MetadataSources:
    """Sources of metadata, in the order in which they are searched; datasets are read only if a column needs them.

    Attributes
    ----------
    image_ids
        Evaluated images.
    metadata
        Value of ``--metadata``: a table, or a dataset such as ``isic2017:ROOT``.
    labels
        File of ``--labels``.
    files
        Files of predictions.
    runs
        Runs whose datasets have metadata.
    """

    image_ids: tuple[str, ...]
    metadata: str | None
    labels: Path | None
    files: tuple[Path, ...]
    runs: "tuple[RunDir, ...]"

    @cached_property
    def file_tables(self) -> "list[MetadataTable]":
        """Columns of ``--metadata``, of the labels and of the predictions."""
        from lesionlens.evaluation.subgroups.metadata import read_metadata_table

        given = [Path(self.metadata)] if self.metadata and Path(self.metadata).is_file() else []
        others = [*([self.labels] if self.labels else []), *self.files]
        return [
            *(read_metadata_table(path, self.image_ids) for path in given),
            *(read_metadata_table(path, self.image_ids, optional=True) for path in others),
        ]

    @cached_property
    def dataset_tables(self) -> "list[MetadataTable]":
        """Columns of the datasets."""
        return [_dataset_metadata(table, self.image_ids) for table in self.datasets]

    @cached_property
    def datasets(self) -> "list[LesionTable]":
        """Datasets of ``--metadata`` and of the runs."""
        from lesionlens.datasets.registry import load_table
        from lesionlens.runs.run_dir import read_recipe

        loaded = []
        if self.metadata and not Path(self.metadata).is_file():
            loaded.append(load_table(self.metadata, labels="optional"))
        for run in self.runs:
            data = read_recipe(run).data
            loaded.append(load_table(data.source, classes=data.classes, within_root=data.within_root))
        return loaded


def _dataset_metadata(table: "LesionTable", image_ids: Sequence[str]) -> "MetadataTable":
    """Return the metadata of a dataset, and the labels of its artifacts as yes and no."""
    from lesionlens.datasets.artifact_labels import load_artifact_labels
    from lesionlens.evaluation.subgroups.metadata import select_metadata_rows

    frame = table.frame
    ages = ["" if age != age else f"{age:g}" for age in frame["age"]]
    artifacts = load_artifact_labels(table)
    for name in artifacts:
        frame[str(name)] = artifacts[name].map({1.0: "yes", 0.0: "no"}).fillna("").tolist()
    names = frame["image_id"].tolist()
    return select_metadata_rows(frame.assign(age=ages), names, image_ids, source=f"{table.name}:{table.root}")


def group_by_columns(specs: "Sequence[GroupSpec]", sources: MetadataSources) -> "list[Grouping]":
    """Divide the images by each column."""
    return [_group_by_column(spec, sources) for spec in specs]


def _group_by_column(spec: "GroupSpec", sources: MetadataSources) -> "Grouping":
    from lesionlens.evaluation.subgroups.grouping import group_images
    from lesionlens.evaluation.subgroups.metadata import find_metadata_column, unknown_column_message

    cells = find_metadata_column(spec.column, sources.file_tables)
    if cells is None:
        cells = find_metadata_column(spec.column, sources.dataset_tables)
    if cells is None:
        tables = [*sources.file_tables, *sources.dataset_tables]
        raise PredictionsError(unknown_column_message(spec.column, tables))
    return group_images(spec, cells)


def evaluate_by(
    predictions: "Predictions",
    sources: MetadataSources,
    *,
    by: Sequence[str],
    by_metric: Sequence[str],
    n_resamples: int,
    seed: int,
    decision: "DecisionRule",
    task: str,
) -> "SubgroupReport":
    """Evaluate the groups of ``--by``."""
    from lesionlens.evaluation.binarize import to_binary_task
    from lesionlens.evaluation.registry import parse_metric_key
    from lesionlens.evaluation.subgroups.evaluate import evaluate_subgroups
    from lesionlens.evaluation.subgroups.grouping import parse_group_specs

    groupings = group_by_columns(parse_group_specs(by), sources)
    classes = to_binary_task(predictions, task).predictions.classes
    return evaluate_subgroups(
        predictions,
        groupings,
        keys=[parse_metric_key(text, classes) for text in by_metric],
        n_resamples=n_resamples,
        seed=seed,
        decision=decision,
        task=task,
    )
