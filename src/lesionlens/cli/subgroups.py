"""Option ``--by`` of ``evaluate``: where the columns of subgroups come from, and what is written about them."""

import warnings
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


ALL_ARTIFACTS, SKIN_TONE = "artifacts", "skin_tone"
_ITA_CAVEAT = (
    "ITA is the color of the skin at the border of the images. It depends on camera and light, and is not a "
    "phototype."
)


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
    """Divide the images by each column.

    ``artifacts`` means the labels of all artifacts of the datasets or, without labels, every detected artifact; those
    that all images show, or none, are excluded with a warning. ``skin_tone`` without a known tone means ``ita``.
    """
    from lesionlens.evaluation.subgroups.grouping import GroupSpec, group_images

    has_all = any(spec.column == ALL_ARTIFACTS for spec in specs)
    artifacts = _artifact_names(sources) if has_all else []
    named = [spec for spec in specs if spec.column != ALL_ARTIFACTS]
    specs = [*named, *(GroupSpec(name) for name in artifacts)]
    cells = {spec.column: _find_cells(spec.column, sources) for spec in specs}
    measured = _measure_cells([name for name, known in cells.items() if known is None], sources)
    values = {name: measured[name] if known is None else known for name, known in cells.items()}
    uniform = [name for name in artifacts if len(set(values[name]) - {""}) < 2]
    if uniform:
        names = ", ".join(uniform)
        warnings.warn(f"Not compared, because all images have the same value: {names}", stacklevel=2)
    return [
        _measured_grouping(spec.column, values[spec.column])
        if cells[spec.column] is None
        else group_images(spec, values[spec.column])
        for spec in specs
        if spec.column not in uniform
    ]


def _artifact_names(sources: MetadataSources) -> list[str]:
    from lesionlens.datasets.artifact_labels import load_artifact_labels
    from lesionlens.imaging.artifact_detection import ARTIFACT_DETECTORS

    labeled = [str(name) for table in sources.datasets for name in load_artifact_labels(table)]
    return list(dict.fromkeys(labeled)) or list(ARTIFACT_DETECTORS)


def _find_cells(column: str, sources: MetadataSources) -> list[str] | None:
    """Return the cells of a column; None if it must be measured."""
    from lesionlens.core.missing import is_missing
    from lesionlens.datasets.image_measurements import MEASURED_COLUMNS
    from lesionlens.evaluation.subgroups.metadata import find_metadata_column, unknown_column_message

    cells = find_metadata_column(column, sources.file_tables)
    if cells is None:
        cells = find_metadata_column(column, sources.dataset_tables)
    if column == SKIN_TONE and (cells is None or all(map(is_missing, cells))):
        return None
    if cells is None and column not in MEASURED_COLUMNS:
        tables = [*sources.file_tables, *sources.dataset_tables]
        raise PredictionsError(unknown_column_message(column, tables, (ALL_ARTIFACTS, *MEASURED_COLUMNS)))
    return cells


def _measure_cells(names: Sequence[str], sources: MetadataSources) -> dict[str, list[str]]:
    """Return the cells of columns that are measured on the images of the datasets."""
    from lesionlens.datasets.image_measurements import ITA_COLUMN, measure_columns

    if not names:
        return {}
    if not sources.datasets:
        raise PredictionsError(
            f"--by {names[0]} is measured on the images, but their dataset is not known. Pass it: --metadata "
            "NAME:ROOT, or --metadata table:FILE for a table with the paths of images"
        )
    columns = {name: ITA_COLUMN if name == SKIN_TONE else name for name in names}
    values: dict[tuple[str, str], str] = {}
    for table in sources.datasets:
        measured = measure_columns(table, sources.image_ids, sorted(set(columns.values())))
        for column in measured:
            values |= {(str(column), str(name)): str(cell) for name, cell in measured[column].items()}
    return {
        name: [values.get((column, image_id), "") for image_id in sources.image_ids]
        for name, column in columns.items()
    }


def _measured_grouping(column: str, cells: Sequence[str]) -> "Grouping":
    from lesionlens.datasets.image_measurements import ITA_COLUMN
    from lesionlens.evaluation.subgroups.grouping import make_grouping
    from lesionlens.imaging.skin_color import ITA_GROUPS

    if column in (SKIN_TONE, ITA_COLUMN):
        return make_grouping("ITA", cells, [group.name for group in ITA_GROUPS], caveats=(_ITA_CAVEAT,))
    caveat = f"{column} was detected in the images by a program, which makes errors."
    return make_grouping(f"{column} (detected)", cells, ["yes", "no"], caveats=(caveat,))


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


def write_subgroups(folder: Path, report: "SubgroupReport") -> None:
    """Write the results by subgroup to a folder as JSON, CSV and figure."""
    from lesionlens.evaluation.subgroups.plots import write_subgroup_figure

    report.write(folder)
    write_subgroup_figure(folder, report)
