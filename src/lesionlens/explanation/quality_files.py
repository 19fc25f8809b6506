"""The quality of a model's maps, as files and as a table for the terminal."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from lesionlens.evaluation.columns import write_csv_columns
from lesionlens.evaluation.wording import format_with_interval
from lesionlens.explanation.attention_quality import LOCALIZATION_METRICS, LocalizationResult

LOCALIZATION_TITLES = {
    "jaccard": "Jaccard at 0.5",
    "jaccard_area": "Area over thresholds",
    "pointing": "Pointing game",
    "energy": "Share inside",
}


def write_localization(folder: Path, result: LocalizationResult) -> None:
    """Write ``images.csv`` (a row for each image and map), ``summary.csv`` and ``left_out.csv``."""
    rows = [
        (image.image_id, image.lesion_id, image.diagnosis, name, *(f"{value:.6g}" for value in found))
        for image in result.images
        for name, found in image.maps.items()
    ]
    _write_rows(folder / "images.csv", ("image_id", "lesion_id", "diagnosis", "map", *LOCALIZATION_METRICS), rows)
    means = [
        (each.scope, each.metric, *(f"{value:.6g}" for value in (each.value, each.low, each.high)))
        for each in result.estimates
    ]
    _write_rows(folder / "summary.csv", ("map", "measure", "mean", "low", "high"), means)
    _write_rows(folder / "left_out.csv", ("image_id", "reason"), list(result.excluded))


def localization_table(result: LocalizationResult) -> Table:
    """Lay out the means and their intervals, a row for each map."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Map")
    for measure in LOCALIZATION_METRICS:
        table.add_column(LOCALIZATION_TITLES[measure], justify="right")
    for name in dict.fromkeys(each.scope for each in result.estimates):
        table.add_row(name, *(format_with_interval(each) for each in result.estimates if each.scope == name))
    return table


def _write_rows(path: Path, names: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    cells = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    write_csv_columns(path, dict(zip(names, cells, strict=True)))
