"""Class counts of datasets: tables and figures of papers that train nothing."""

from collections.abc import Callable, Mapping

from lesionlens.datasets.table import LesionTable
from lesionlens.reproduction.spec import CountSpec, TableSpec

COUNT_METRIC = "count"


def count_classes(table: LesionTable, split: str) -> dict[str, int]:
    """Return the number of images of each class of a table, in its order of classes; in one official split unless "".

    Images without a class are not counted.
    """
    frame = table.frame
    diagnoses = frame["diagnosis"] if not split else frame.loc[frame["split"] == split, "diagnosis"]
    return {name: int((diagnoses == name).sum()) for name in table.classes}


def counted_datasets(spec: TableSpec) -> dict[str, CountSpec]:
    """Return the counted images by row."""
    return {row.name: row.counts for row in spec.rows if row.counts}


def count_rows(
    spec: TableSpec, sources: Mapping[str, str], load: Callable[[str], LesionTable]
) -> dict[str, dict[str, int]]:
    """Return the class counts of the rows that have a data source.

    Raises
    ------
    LesionLensError
        A dataset cannot be read.
    """
    return {
        row: count_classes(load(sources[row]), counts.split)
        for row, counts in counted_datasets(spec).items()
        if row in sources
    }
