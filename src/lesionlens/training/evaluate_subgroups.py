"""Compare the subgroups of a run's evaluated images, by the metadata of its dataset."""

from collections.abc import Sequence

import pandas as pd

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.subgroups.evaluate import evaluate_subgroups
from lesionlens.evaluation.subgroups.grouping import Grouping, GroupSpec, group_images
from lesionlens.evaluation.subgroups.result import MIN_GROUP_LESIONS, SubgroupReport

SUBGROUP_COLUMNS = ("sex", "age", "site", "skin_tone")
MIN_GROUPS = 2


def evaluate_run_subgroups(predictions: Predictions, frame: pd.DataFrame) -> SubgroupReport | None:
    """Compare women and men, ages, sites and skin tones with all other images, as far as the dataset states them.

    Parameters
    ----------
    predictions
        Predictions with labels.
    frame
        Rows of the dataset, with ``image_id`` and the columns of ``SUBGROUP_COLUMNS``.

    Returns
    -------
    SubgroupReport or None
        None if no column has two groups of 10 or more lesions.
    """
    rows = frame.set_index("image_id").loc[predictions.image_id.tolist()]
    groupings = [
        grouping
        for name in SUBGROUP_COLUMNS
        if name in rows and (grouping := _group(name, rows[name], predictions)) is not None
    ]
    return evaluate_subgroups(predictions, groupings) if groupings else None


def _group(name: str, cells: pd.Series, predictions: Predictions) -> Grouping | None:
    """Return the groups of a column; None if it does not divide the images into groups of enough lesions."""
    try:
        grouping = group_images(GroupSpec(name), _to_text(cells))
    except PredictionsError:  # no value, one value, or too many
        return None
    large = [
        group
        for group in grouping.names
        if len(set(predictions.lesion_id[grouping.group == group])) >= MIN_GROUP_LESIONS
    ]
    return grouping if len(large) >= MIN_GROUPS else None


def _to_text(cells: pd.Series) -> Sequence[str]:
    return ["" if pd.isna(cell) else f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in cells]
