"""Samples of a dataset, for quick trials."""

import numpy as np

from lesionlens.datasets.table import LesionTable

_SEED = 0


def sample_images(table: LesionTable, max_images: int) -> LesionTable:
    """Return a random sample of the images of a table, with as equal numbers per official split and class as possible.

    The sample is always the same, and the images keep their order. A table of at most ``max_images`` is returned as it
    is.
    """
    frame = table.frame
    if len(frame) <= max_images:
        return table
    shuffled = frame.iloc[np.random.default_rng(_SEED).permutation(len(frame))]
    rank = shuffled.groupby(["split", "diagnosis"]).cumcount()
    chosen = rank.sort_values(kind="stable").index[:max_images]
    return table.select(frame.loc[frame.index.isin(chosen), "image_id"])
