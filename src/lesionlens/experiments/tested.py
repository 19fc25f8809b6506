"""The images that a run was tested on, of its own data or of a generated copy."""

from lesionlens.data.datasets import load_table
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError
from lesionlens.evaluation.columns import read_columns
from lesionlens.experiments.results import Cell


def tested_part(cell: Cell) -> str:
    """Name the part that counts: test, or validation where the run has no test part."""
    return "test" if cell.folder.evaluation("test").is_file() else "validation"


def tested_table(cell: Cell, source: str) -> LesionTable:
    """Give the table of the run's own test images, as ``source`` has them.

    Raises
    ------
    DataError
        The source cannot be read, or has none of them.
    """
    split, part = read_columns(cell.folder.split), tested_part(cell)
    own = [image for image, there in zip(split["image_id"], split["part"], strict=True) if there == part]
    table = load_table(source, classes=cell.recipe.data.classes)
    there = set(table.frame["image_id"])
    shared = [image for image in own if image in there]
    if not shared:
        raise DataError(f"{source} has none of the {len(own):,} {part} images of {cell.folder.path}")
    return table.select(shared)
