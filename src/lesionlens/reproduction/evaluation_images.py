"""Images on which a run is evaluated: its test split, or its validation split if it has no test images."""

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import read_csv_columns
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.table import LesionTable
from lesionlens.reproduction.planner import RunCell


def evaluation_split(cell: RunCell) -> str:
    """Return the split whose values count: ``test``, or ``validation`` if the run has no test images."""
    return "test" if cell.run_dir.evaluation("test").is_file() else "validation"


def evaluation_subset(cell: RunCell, source: str) -> LesionTable:
    """Load from a data source the images that are in the run's evaluation split.

    Raises
    ------
    DataError
        The source cannot be read, or has none of these images.
    """
    splits, split = read_csv_columns(cell.run_dir.splits_csv), evaluation_split(cell)
    image_ids = [
        image for image, name in zip(splits["image_id"], splits["split"], strict=True) if name == split
    ]
    table = load_table(source, classes=cell.recipe.data.classes)
    available = set(table.frame["image_id"])
    shared = [image for image in image_ids if image in available]
    if not shared:
        raise DataError(f"{source} has none of the {len(image_ids):,} {split} images of {cell.run_dir.path}")
    return table.select(shared)
