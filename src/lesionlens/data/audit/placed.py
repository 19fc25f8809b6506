"""The rows of several tables beneath one another, each with its data set and its part."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionlens.data.splits import DatasetSplits
from lesionlens.data.table import SPLITS, LesionTable


def split_of_rows(table: LesionTable, splits: DatasetSplits) -> NDArray[np.object_]:
    """Give the part of each row, ``""`` for none; of an image that validates and tests, ``test``."""
    part = {image: name for name in SPLITS for image in splits.splits.get(name, ())}
    return np.array([part.get(image, "") for image in table.frame["image_id"]], dtype=object)


def concat_with_split(tables: Sequence[LesionTable], splits: DatasetSplits | None) -> pd.DataFrame:
    """Join tables into one frame with two further columns.

    ``set`` is the data set's name, with a number where it comes again; ``part`` is that of the split, which is of the
    first table, or else the official one.
    """
    frames = []
    seen: dict[str, int] = {}
    for place, table in enumerate(tables):
        seen[table.name] = seen.get(table.name, 0) + 1
        again = seen[table.name]
        frame = table.frame.assign(set=table.name if again == 1 else f"{table.name} ({again})")
        if splits is not None:
            frame["part"] = split_of_rows(table, splits) if place == 0 else ""
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
