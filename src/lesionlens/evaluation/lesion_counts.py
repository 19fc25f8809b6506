"""Number of lesions on which the value of a metric rests: with only one, its variation over lesions is unknown."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lesionlens.evaluation.metric import Metric
from lesionlens.evaluation.predictions import Predictions


class LesionCounts(NamedTuple):
    """Number of lesions.

    Attributes
    ----------
    total
        All lesions.
    of_class, of_others
        Lesions with an image of each class, and with an image of any other class.
    """

    total: int
    of_class: Mapping[str, int]
    of_others: Mapping[str, int]

    def single_lesion_classes(self, metric: Metric, classes: Sequence[str]) -> list[str]:
        """Return the classes whose only lesion determines the value of one of ``classes``.

        A resample cannot tell how such a value, or an average that contains it, would vary over other lesions.
        """
        decisive: set[str] = set()
        for name in classes:
            if metric.depends_on_class_images and self.of_class[name] == 1:
                decisive.add(name)
            if "negatives" in metric.requires and self.of_others[name] == 1:
                decisive |= {other for other, count in self.of_class.items() if other != name and count}
        return [name for name in self.of_class if name in decisive]

    def decisive(self, metric: Metric, class_name: str) -> int:
        """Return the number of lesions on which the value of a class rests: the smallest group that it needs."""
        groups = {"positives": self.of_class[class_name], "negatives": self.of_others[class_name]}
        return min((groups[name] for name in metric.requires if name in groups), default=self.total)


def count_lesions(predictions: Predictions) -> LesionCounts:
    """Count the lesions of labeled predictions."""
    of_class = {name: predictions.label == name for name in predictions.classes}
    return LesionCounts(
        len(np.unique(predictions.lesion_id)),
        {name: len(np.unique(predictions.lesion_id[images])) for name, images in of_class.items()},
        {name: len(np.unique(predictions.lesion_id[~images])) for name, images in of_class.items()},
    )
