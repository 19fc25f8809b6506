"""Which cases a reader should see: for each class the surest right and the surest wrong ones."""

from typing import NamedTuple
from urllib.parse import quote

import numpy as np

from lesionlens.evaluation.predictions import Predictions

TARGET_CASES = 12  # right ones wanted over all classes, and as many wrong ones
MIN_CASES_PER_CLASS, MAX_CASES_PER_CLASS = 2, 4  # of one class


class ExampleCase(NamedTuple):
    """One image of the gallery.

    Attributes
    ----------
    image_id
        Its name.
    label
        The class that the data set gives.
    predicted
        The class with the highest model score.
    score
        That score.
    """

    image_id: str
    label: str
    predicted: str
    score: float

    @property
    def correct(self) -> bool:
        """Whether the class with the highest score is the labelled one."""
        return self.label == self.predicted


def select_cases(predictions: Predictions, *, per_class: int | None = None) -> tuple[ExampleCase, ...]:
    """Choose cases: of each class the surest right ones, then the surest wrong ones.

    The surest are those with the highest score of the predicted class; equal scores go by image name, so the
    choice is the same each time. A lesion is shown once a class and verdict. Images without a label are never
    chosen.

    Parameters
    ----------
    predictions
        Scores of images; those with a label count.
    per_class
        Right ones of each class, and as many wrong ones; by default 12 over all classes, at least 2 and at
        most 4.

    Returns
    -------
    tuple of ExampleCase
        Class by class in the order of ``predictions.classes``, right ones first.
    """
    wanted = per_class or min(
        MAX_CASES_PER_CLASS, max(MIN_CASES_PER_CLASS, TARGET_CASES // len(predictions.classes))
    )
    best = predictions.scores.argmax(axis=1)
    order = np.lexsort((predictions.image_id, -predictions.scores.max(axis=1)))
    chosen: dict[tuple[str, bool], list[ExampleCase]] = {
        (name, right): [] for name in predictions.classes for right in (True, False)
    }
    shown: set[tuple[str, bool, str]] = set()
    for row in order:
        label, predicted = str(predictions.label[row]), predictions.classes[best[row]]
        key = (label, label == predicted)
        lesion = (*key, str(predictions.lesion_id[row]))
        if key in chosen and len(chosen[key]) < wanted and lesion not in shown:
            shown.add(lesion)
            score = float(predictions.scores[row, best[row]])
            chosen[key].append(ExampleCase(str(predictions.image_id[row]), label, predicted, score))
    return tuple(case for cases in chosen.values() for case in cases)


def file_stem(image_id: str) -> str:
    """Give a name for the gallery's files: safe in any folder, different for different images, without a dot.

    Examples
    --------
    >>> file_stem("ISIC_0024306"), file_stem("clinic/7.a")
    ('ISIC_0024306', 'clinic%2F7%2Ea')
    """
    return quote(image_id, safe="").replace(".", "%2E")
