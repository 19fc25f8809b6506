"""The images that a run was tested on, of its own data or of a generated copy."""

from lesionlens.data.datasets import load_table
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError
from lesionlens.evaluation.columns import read_csv_columns
from lesionlens.experiments.results import RunCell


def evaluation_split(cell: RunCell) -> str:
    """Name the part that counts: test, or validation where the run has no test part."""
    return "test" if cell.run_dir.evaluation("test").is_file() else "validation"


def evaluation_subset(cell: RunCell, source: str) -> LesionTable:
    """Give the table of the run's own test images, as ``source`` has them.

    Raises
    ------
    DataError
        The source cannot be read, or has none of them.
    """
    split, part = read_csv_columns(cell.run_dir.splits_csv), evaluation_split(cell)
    own = [image for image, there in zip(split["image_id"], split["part"], strict=True) if there == part]
    table = load_table(source, classes=cell.recipe.data.classes)
    there = set(table.frame["image_id"])
    shared = [image for image in own if image in there]
    if not shared:
        raise DataError(f"{source} has none of the {len(own):,} {part} images of {cell.run_dir.path}")
    return table.select(shared)
