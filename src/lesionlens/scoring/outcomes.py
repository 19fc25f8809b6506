"""What came of each image that was to be scored: a row of scores, or why there is none."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lesionlens.errors import DataError
from lesionlens.evaluation.multilabel import multi_label
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.models.bundle import Card
from lesionlens.subjects import Subjects, rest_of, seen_whole


class Outcome(NamedTuple):
    """What came of one image.

    Attributes
    ----------
    mark
        Of the files that were read, see ``seen.mark_of``.
    scores
        One a class of the card; none where the image cannot be used.
    whole
        Scored whole by a model that looks at the box around the lesion.
    reason
        Why it has no scores, or "".
    """

    image_id: str
    mark: str
    scores: Sequence[float]
    whole: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Scored:
    """The predictions of the images that could be read, and why the others could not.

    Attributes
    ----------
    whole
        Ids of images scored whole by a model that looks at the box around the lesion: no mask, or an empty one.
    before
        How many images an earlier run, which was stopped, had dealt with.
    by
        What computed, and in which precision: ``openvino, fp32``.
    """

    predictions: Predictions
    unreadable: tuple[str, ...]
    whole: tuple[str, ...] = ()
    before: int = 0
    by: str = ""


class Outcomes:
    """The outcomes of n images: of each only its scores are kept, and what was wrong with few."""

    def __init__(self, images: int, classes: int) -> None:
        self.scores = np.full((images, classes), np.nan)
        self.known = np.zeros(images, dtype=np.bool_)
        self.whole: set[int] = set()
        self.reasons: dict[int, str] = {}

    def put(self, place: int, outcome: Outcome) -> None:
        """Write down what came of the image in this place."""
        self.known[place] = True
        if outcome.reason:
            self.reasons[place] = outcome.reason
        else:
            self.scores[place] = outcome.scores
        if outcome.whole:
            self.whole.add(place)

    def scored(self, wanted: Subjects, card: Card, *, before: int = 0) -> Scored:
        """Put them together in the order of the images.

        Raises
        ------
        DataError
            Not one image could be used.
        """
        unreadable = tuple(reason for _, reason in sorted(self.reasons.items()))
        kept = [place for place in range(len(wanted.path)) if place not in self.reasons]
        if not kept:
            raise DataError("not one image can be read:\n  " + "\n  ".join(unreadable[:5]))
        whole = tuple(wanted.image_id[place] for place in sorted(self.whole))
        if whole:
            warnings.warn(seen_whole(whole, of=len(kept)), stacklevel=3)
        return Scored(self._predictions(wanted, card, kept), unreadable, whole, before)

    def _predictions(self, wanted: Subjects, card: Card, kept: Sequence[int]) -> Predictions:
        ids, lesions, labels = (
            np.array([values[place] for place in kept])
            for values in (wanted.image_id, wanted.lesion_id, wanted.label)
        )
        scores = np.clip(self.scores[kept], 0, 1)
        if card.independent:
            return multi_label(ids, lesions, labels, scores, card.classes, rest=rest_of(card))
        return Predictions(ids, lesions, labels, scores, card.classes)
