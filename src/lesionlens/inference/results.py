"""What came of each image that was to be scored: a row of scores, or why there is none."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lesionlens.core.errors import DataError
from lesionlens.evaluation.predictions import Predictions, multilabel_predictions
from lesionlens.imaging.preprocessing import missing_mask_warning
from lesionlens.inference.inputs import InferenceInputs, other_class
from lesionlens.models.saved_model import ModelCard


class ImageResult(NamedTuple):
    """What came of one image.

    Attributes
    ----------
    signature
        Of the files that were read, see ``inference.batch.file_signature``.
    scores
        One a class of the card; none where the image cannot be used.
    missing_mask
        Scored whole by a model that looks at the box around the lesion.
    failure
        Why it has no scores, or "".
    """

    image_id: str
    signature: str
    scores: Sequence[float]
    missing_mask: bool = False
    failure: str = ""


@dataclass(frozen=True)
class InferenceResult:
    """The predictions of the images that could be read, and why the others could not.

    Attributes
    ----------
    missing_mask_ids
        Ids of images scored whole by a model that looks at the box around the lesion: no mask, or an empty one.
    num_resumed
        How many images an earlier run, which was stopped, had dealt with.
    engine
        What computed, and in which precision: ``openvino, fp32``.
    """

    predictions: Predictions
    failures: tuple[str, ...]
    missing_mask_ids: tuple[str, ...] = ()
    num_resumed: int = 0
    engine: str = ""


class ResultCollector:
    """The outcomes of n images: of each only its scores are kept, and what was wrong with few."""

    def __init__(self, num_images: int, num_classes: int) -> None:
        self.scores = np.full((num_images, num_classes), np.nan)
        self.completed = np.zeros(num_images, dtype=np.bool_)
        self.missing_mask_indices: set[int] = set()
        self.failures: dict[int, str] = {}

    def add(self, index: int, result: ImageResult) -> None:
        """Write down what came of the image in this place."""
        self.completed[index] = True
        if result.failure:
            self.failures[index] = result.failure
        else:
            self.scores[index] = result.scores
        if result.missing_mask:
            self.missing_mask_indices.add(index)

    def build_result(
        self, inputs: InferenceInputs, card: ModelCard, *, num_resumed: int = 0
    ) -> InferenceResult:
        """Put them together in the order of the images.

        Raises
        ------
        DataError
            Not one image could be used.
        """
        unreadable = tuple(reason for _, reason in sorted(self.failures.items()))
        kept = [place for place in range(len(inputs.path)) if place not in self.failures]
        if not kept:
            raise DataError("not one image can be read:\n  " + "\n  ".join(unreadable[:5]))
        whole = tuple(inputs.image_id[place] for place in sorted(self.missing_mask_indices))
        if whole:
            warnings.warn(missing_mask_warning(whole, num_images=len(kept)), stacklevel=3)
        return InferenceResult(self._build_predictions(inputs, card, kept), unreadable, whole, num_resumed)

    def _build_predictions(
        self, inputs: InferenceInputs, card: ModelCard, indices: Sequence[int]
    ) -> Predictions:
        ids, lesions, labels = (
            np.array([values[place] for place in indices])
            for values in (inputs.image_id, inputs.lesion_id, inputs.label)
        )
        scores = np.clip(self.scores[indices], 0, 1)
        if card.multilabel:
            return multilabel_predictions(
                ids, lesions, labels, scores, card.classes, other_class=other_class(card)
            )
        return Predictions(ids, lesions, labels, scores, card.classes)
