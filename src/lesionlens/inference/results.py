"""Per-image inference results: scores, or the reason for failure."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import DataError
from lesionlens.evaluation.predictions import Predictions, multilabel_predictions
from lesionlens.imaging.preprocessing import missing_mask_warning
from lesionlens.inference.inputs import InferenceInputs, other_class
from lesionlens.models.model_card import ModelCard


class ImageResult(NamedTuple):
    """Result of one image.

    Attributes
    ----------
    signature
        Signature of the image and mask files, see ``inference.batch.image_signature``.
    scores
        One score per class of the model card; empty if the image cannot be used.
    missing_mask
        Whether a model that crops to the lesion used the uncropped image.
    failure
        Reason why there are no scores, or "".
    ood_score
        Score of the detector of unknown images; None without a detector.
    """

    image_id: str
    signature: str
    scores: Sequence[float]
    missing_mask: bool = False
    failure: str = ""
    ood_score: float | None = None


@dataclass(frozen=True)
class InferenceResult:
    """Predictions for the images that could be read, and the reasons why others could not.

    Attributes
    ----------
    missing_mask_ids
        Ids of images that a model that crops to the lesion used uncropped, because their mask is missing or empty.
    num_resumed
        Number of images whose results come from an earlier, interrupted run.
    engine
        Engine and precision, for example ``openvino, fp32``.
    ood_scores
        Score of each image by the detector of unknown images, (n,); None without a detector.
    features
        Features of each image, (n, f), if they were requested.
    caveats
        Limits of the calibration, one sentence each.
    """

    predictions: Predictions
    failures: tuple[str, ...]
    missing_mask_ids: tuple[str, ...] = ()
    num_resumed: int = 0
    engine: str = ""
    ood_scores: NDArray[np.float64] | None = None
    features: NDArray[np.float32] | None = None
    caveats: tuple[str, ...] = ()


class ResultCollector:
    """Collects the results of n images: one array of scores, plus the few failures and missing masks."""

    def __init__(self, num_images: int, num_classes: int) -> None:
        self.scores = np.full((num_images, num_classes), np.nan)
        self.completed = np.zeros(num_images, dtype=np.bool_)
        self.missing_mask_indices: set[int] = set()
        self.failures: dict[int, str] = {}
        self.ood_scores = np.full(num_images, np.nan)
        self.features: NDArray[np.float32] | None = None

    def add(self, index: int, result: ImageResult) -> None:
        """Store the result of the image with this input index."""
        self.completed[index] = True
        if result.failure:
            self.failures[index] = result.failure
        else:
            self.scores[index] = result.scores
            self.ood_scores[index] = np.nan if result.ood_score is None else result.ood_score
        if result.missing_mask:
            self.missing_mask_indices.add(index)

    def add_features(self, indices: Sequence[int], features: NDArray[np.float32]) -> None:
        """Store the features, (m, f), of the images with these input indices."""
        if self.features is None:
            self.features = np.full((len(self.scores), features.shape[1]), np.nan, dtype=np.float32)
        self.features[list(indices)] = features

    def build_result(
        self, inputs: InferenceInputs, card: ModelCard, *, num_resumed: int = 0
    ) -> InferenceResult:
        """Return all results in input order; warn if images without a mask were used uncropped.

        Raises
        ------
        DataError
            No image could be used.
        """
        failures = tuple(reason for _, reason in sorted(self.failures.items()))
        usable = [index for index in range(len(inputs.image)) if index not in self.failures]
        if not usable:
            raise DataError("No image can be read:\n  " + "\n  ".join(failures[:5]))
        uncropped = tuple(inputs.image_id[index] for index in sorted(self.missing_mask_indices))
        if uncropped:
            warnings.warn(missing_mask_warning(uncropped, num_images=len(usable)), stacklevel=3)
        return InferenceResult(
            self._build_predictions(inputs, card, usable),
            failures,
            uncropped,
            num_resumed,
            ood_scores=None if np.isnan(self.ood_scores).all() else self.ood_scores[usable],
            features=None if self.features is None else self.features[usable],
        )

    def _build_predictions(
        self, inputs: InferenceInputs, card: ModelCard, indices: Sequence[int]
    ) -> Predictions:
        ids, lesions, labels = (
            np.array([values[index] for index in indices])
            for values in (inputs.image_id, inputs.lesion_id, inputs.label)
        )
        scores = np.clip(self.scores[indices], 0, 1)
        if card.multilabel:
            return multilabel_predictions(
                ids, lesions, labels, scores, card.classes, other_class=other_class(card)
            )
        return Predictions(ids, lesions, labels, scores, card.classes)
