"""The quality of a model's maps, as files and as a table for the terminal."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from lesionlens.evaluation.columns import write_columns
from lesionlens.evaluation.wording import with_interval
from lesionlens.explanation.attention_quality import MEASURES, Quality

TITLES = {
    "jaccard": "Jaccard at 0.5",
    "jaccard_area": "Area over thresholds",
    "pointing": "Pointing game",
    "energy": "Share inside",
}


def write_quality(folder: Path, quality: Quality) -> None:
    """Write ``images.csv`` (a row for each image and map), ``summary.csv`` and ``left_out.csv``."""
    rows = [
        (image.image_id, image.lesion_id, image.diagnosis, name, *(f"{value:.6g}" for value in found))
        for image in quality.images
        for name, found in image.maps.items()
    ]
    _write(folder / "images.csv", ("image_id", "lesion_id", "diagnosis", "map", *MEASURES), rows)
    means = [
        (each.of, each.metric, *(f"{value:.6g}" for value in (each.value, each.low, each.high)))
        for each in quality.estimates
    ]
    _write(folder / "summary.csv", ("map", "measure", "mean", "low", "high"), means)
    _write(folder / "left_out.csv", ("image_id", "reason"), list(quality.left_out))


def quality_table(quality: Quality) -> Table:
    """Lay out the means and their intervals, a row for each map."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Map")
    for measure in MEASURES:
        table.add_column(TITLES[measure], justify="right")
    for name in dict.fromkeys(each.of for each in quality.estimates):
        table.add_row(name, *(with_interval(each) for each in quality.estimates if each.of == name))
    return table


def _write(path: Path, names: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    cells = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    write_columns(path, dict(zip(names, cells, strict=True)))
