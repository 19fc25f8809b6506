"""How well the class is told from what is not the picture: how it was confirmed, where it lay, how large its file is.

A model that can read such a thing off an image (the source by its frame, the method by its ruler) needs no lesion.
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
    """What a single column tells of the class.

    Attributes
    ----------
    column
        Its name.
    num_values
        How many different values it has, "not known" included.
    balanced_accuracy
        Mean recall over the classes of the best guess from this column alone, cross-validated by lesion.
    chance
        Of any guess that does not look: one over the number of classes.
    coverage
        Of the way from chance to the most that so many values could tell, how far it comes; below 0 is none.
    """

    column: str
    num_values: int
    balanced_accuracy: float
    chance: float
    coverage: float

    @property
    def is_strong(self) -> bool:
        """Whether it comes a quarter of the way or more."""
        return self.coverage >= STRONG_SHORTCUT_MARGIN


def find_shortcuts(
    columns: Mapping[str, NDArray[np.str_]], diagnosis: NDArray[np.str_], groups: NDArray[np.str_]
) -> tuple[Shortcut, ...]:
    """Measure each column (n,) that has two values or more against the classes (n,); the strongest first.

    Rows without a class (``""``) do not count.

    None where there are too few lesions of some class for a cross-validation.
    """
    labelled = diagnosis != ""
    columns = {name: values[labelled] for name, values in columns.items()}
    diagnosis, groups = diagnosis[labelled], groups[labelled]
    classes, counts = np.unique(diagnosis, return_counts=True)
    told = pd.DataFrame({"class": diagnosis, "group": groups}).groupby("class")["group"].nunique()
    if len(classes) < 2 or counts.max() < _NUM_FOLDS or told.min() < _NUM_FOLDS:
        return ()
    found = [
        _score_shortcut(name, values.astype(str), diagnosis, groups)
        for name, values in columns.items()
        if len(set(values)) > 1
    ]
    return tuple(sorted(found, key=lambda each: -each.coverage))


def _score_shortcut(
    name: str, values: NDArray[np.str_], diagnosis: NDArray[np.str_], groups: NDArray[np.str_]
) -> Shortcut:
    guesses = np.empty(len(values), dtype=object)
    chooser = StratifiedGroupKFold(_NUM_FOLDS, shuffle=True, random_state=0)
    for known, asked in chooser.split(values, diagnosis, groups):
        guesses[asked] = _majority_vote(values[known], diagnosis[known], values[asked])
    reached = float(balanced_accuracy_score(diagnosis, guesses.astype(str)))
    chance = 1 / len(set(diagnosis))
    most = min(1.0, len(set(values)) * chance)
    return Shortcut(name, len(set(values)), reached, chance, (reached - chance) / (most - chance))


def _majority_vote(
    values: NDArray[np.str_], diagnosis: NDArray[np.str_], queries: NDArray[np.str_]
) -> NDArray[np.str_]:
    """Guess for each value the class of which it holds the largest share; a new value: the commonest class."""
    shares = pd.crosstab(values, diagnosis, normalize="columns")
    commonest = pd.Series(diagnosis).mode()[0]
    best = shares.idxmax(axis=1).reindex(queries).fillna(commonest)
    return np.array(best.tolist(), dtype=np.str_)
