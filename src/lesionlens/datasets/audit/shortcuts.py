"""Shortcuts: how well a single metadata column, such as body site or image size, predicts the class.

A model that can infer such a column from an image (the source from its frame, the diagnosis method from a ruler) does
not need the lesion.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold

STRONG_SHORTCUT_MARGIN = 0.25
_NUM_FOLDS = 5


class Shortcut(NamedTuple):
    """Prediction of the class from a single column.

    Attributes
    ----------
    column
        Name of the column.
    num_values
        Number of distinct values, including "unknown".
    balanced_accuracy
        Mean recall over the classes of the best prediction from this column, cross-validated by lesion.
    chance
        Balanced accuracy of any constant prediction: one over the number of classes.
    coverage
        (balanced accuracy - chance) / (maximum - chance), where the maximum is the best balanced accuracy that
        ``num_values`` values allow. 0 or less means no information.
    """

    column: str
    num_values: int
    balanced_accuracy: float
    chance: float
    coverage: float

    @property
    def is_strong(self) -> bool:
        """Whether the coverage is at least ``STRONG_SHORTCUT_MARGIN``."""
        return self.coverage >= STRONG_SHORTCUT_MARGIN


def find_shortcuts(
    columns: Mapping[str, NDArray[np.str_]], diagnosis: NDArray[np.str_], groups: NDArray[np.str_]
) -> tuple[Shortcut, ...]:
    """Evaluate each column with two or more values as a predictor of the class.

    Parameters
    ----------
    columns
        Values of each column, (n,).
    diagnosis
        Class of each image, (n,); images without a class (``""``) are ignored.
    groups
        Lesion or patient of each image, (n,), for the cross-validation.

    Returns
    -------
    tuple of Shortcut
        The strongest first; empty if a class has too few lesions for a cross-validation.
    """
    labeled = diagnosis != ""
    columns = {name: values[labeled] for name, values in columns.items()}
    diagnosis, groups = diagnosis[labeled], groups[labeled]
    classes, counts = np.unique(diagnosis, return_counts=True)
    lesions = pd.DataFrame({"class": diagnosis, "group": groups}).groupby("class")["group"].nunique()
    if len(classes) < 2 or counts.max() < _NUM_FOLDS or lesions.min() < _NUM_FOLDS:
        return ()
    shortcuts = [
        _score_shortcut(name, values.astype(str), diagnosis, groups)
        for name, values in columns.items()
        if len(set(values)) > 1
    ]
    return tuple(sorted(shortcuts, key=lambda shortcut: -shortcut.coverage))


def _score_shortcut(
    name: str, values: NDArray[np.str_], diagnosis: NDArray[np.str_], groups: NDArray[np.str_]
) -> Shortcut:
    predictions = np.empty(len(values), dtype=object)
    splitter = StratifiedGroupKFold(_NUM_FOLDS, shuffle=True, random_state=0)
    for train, test in splitter.split(values, diagnosis, groups):
        predictions[test] = _predict_class(values[train], diagnosis[train], values[test])
    accuracy = float(balanced_accuracy_score(diagnosis, predictions.astype(str)))
    chance = 1 / len(set(diagnosis))
    maximum = min(1.0, len(set(values)) * chance)
    return Shortcut(name, len(set(values)), accuracy, chance, (accuracy - chance) / (maximum - chance))


def _predict_class(
    values: NDArray[np.str_], diagnosis: NDArray[np.str_], queries: NDArray[np.str_]
) -> NDArray[np.str_]:
    """Predict the class in which a value is relatively most frequent; for a new value, the most frequent class."""
    frequencies = pd.crosstab(values, diagnosis, normalize="columns")
    most_frequent = pd.Series(diagnosis).mode()[0]
    best = frequencies.idxmax(axis=1).reindex(queries).fillna(most_frequent)
    return np.array(best.tolist(), dtype=np.str_)
