"""Select example cases: for each class, the most confident correct and the most confident incorrect predictions."""

from typing import NamedTuple
from urllib.parse import quote

import numpy as np

from lesionlens.evaluation.predictions import Predictions

TARGET_CASES = 12  # correct cases over all classes, and as many incorrect ones
MIN_CASES_PER_CLASS, MAX_CASES_PER_CLASS = 2, 4

SCORE_DROPS_FILE = "score_drops.csv"
"""File in the folder of the maps of the cases: scores without the pixels that each map marks most."""
SCORE_DROP_COLUMNS = ("image_id", "map", "score", "score_without")
CENTER_ROW = "center"  # in place of a map: the pixels nearest the center


class ExampleCase(NamedTuple):
    """One image of the gallery.

    Attributes
    ----------
    image_id
        Name of the image.
    label
        True class.
    predicted
        Class with the largest score.
    score
        Score of the predicted class, between 0 and 1.
    """

    image_id: str
    label: str
    predicted: str
    score: float

    @property
    def correct(self) -> bool:
        """Whether the class with the largest score is the true class."""
        return self.label == self.predicted


def select_cases(predictions: Predictions, *, per_class: int | None = None) -> tuple[ExampleCase, ...]:
    """Select, for each class, the most confident correct predictions, then the most confident incorrect ones.

    Confidence is the score of the predicted class. Ties are ordered by image name, so the selection is reproducible.
    Each lesion appears at most once among the correct and once among the incorrect predictions of a class. Images
    without a label are never selected.

    Parameters
    ----------
    predictions
        Scores of images, of which those with a label are considered.
    per_class
        Number of correct cases per class, and of incorrect cases per class; default: 12 over all classes, but at least
        2 and at most 4 per class.

    Returns
    -------
    tuple of ExampleCase
        Cases in the order of ``predictions.classes``, correct ones first.
    """
    limit = per_class or min(
        MAX_CASES_PER_CLASS, max(MIN_CASES_PER_CLASS, TARGET_CASES // len(predictions.classes))
    )
    best = predictions.scores.argmax(axis=1)
    order = np.lexsort((predictions.image_id, -predictions.scores.max(axis=1)))
    selected: dict[tuple[str, bool], list[ExampleCase]] = {
        (name, correct): [] for name in predictions.classes for correct in (True, False)
    }
    used_lesions: set[tuple[str, bool, str]] = set()
    for row in order:
        label, predicted = str(predictions.label[row]), predictions.classes[best[row]]
        group = (label, label == predicted)
        lesion = (*group, str(predictions.lesion_id[row]))
        if group in selected and len(selected[group]) < limit and lesion not in used_lesions:
            used_lesions.add(lesion)
            score = float(predictions.scores[row, best[row]])
            selected[group].append(ExampleCase(str(predictions.image_id[row]), label, predicted, score))
    return tuple(case for cases in selected.values() for case in cases)


def file_stem(image_id: str) -> str:
    """Return a file name for an image: safe on every file system, unique per image name, without a dot.

    Examples
    --------
    >>> file_stem("ISIC_0024306"), file_stem("clinic/7.a")
    ('ISIC_0024306', 'clinic%2F7%2Ea')
    """
    return quote(image_id, safe="").replace(".", "%2E")
