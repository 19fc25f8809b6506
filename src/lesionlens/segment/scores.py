"""How well masks agree: Jaccard, thresholded Jaccard and Dice, as the ISIC challenges score them.

Codella et al. 2018, arXiv:1710.05006 (Jaccard); 2019, arXiv:1902.03368 (thresholded). Each image has a score, and
the score of a set is the mean over its images.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from lesionlens.evaluation.intervals import lesion_weights, percentile_interval
from lesionlens.segment.masks import Mask

THRESHOLD = 0.65  # below which the challenge of 2018 calls a segmentation failed: 0


class ImageScore(NamedTuple):
    """The scores of one image."""

    jaccard: float
    threshold_jaccard: float
    dice: float


class MeanScore(BaseModel):
    """A mean and its percentile interval over lesions drawn with replacement."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class MaskScores(BaseModel):
    """The scores of a set of images.

    Attributes
    ----------
    confidence, replicates, seed
        Of the intervals.
    """

    model_config = ConfigDict(frozen=True)

    images: int
    lesions: int
    jaccard: MeanScore
    threshold_jaccard: MeanScore
    dice: MeanScore
    confidence: float
    replicates: int
    seed: int

    def __str__(self) -> str:
        return (
            f"Jaccard {self.jaccard}, thresholded {self.threshold_jaccard}, Dice {self.dice} "
            f"({self.images:,} images of {self.lesions:,} lesions)"
        )


def image_score(predicted: Mask, true: Mask) -> ImageScore:
    """Score a predicted mask against the true one, both (h, w); two empty masks agree fully.

    Examples
    --------
    >>> image_score(np.array([[True, True, True, False]]), np.array([[False, True, True, True]]))
    ImageScore(jaccard=0.5, threshold_jaccard=0.0, dice=0.6666666666666666)
    """
    if predicted.shape != true.shape:
        raise ValueError(f"masks of {predicted.shape} and {true.shape} cannot be compared")
    both, either = int((predicted & true).sum()), int((predicted | true).sum())
    jaccard = both / either if either else 1.0
    dice = 2 * both / (both + either) if either else 1.0
    return ImageScore(jaccard, jaccard if jaccard >= THRESHOLD else 0.0, dice)


def mean_scores(
    scores: Sequence[ImageScore],
    lesion_id: Sequence[str],
    *,
    replicates: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> MaskScores:
    """Average the scores of n images; the intervals are over lesions, whose images are drawn together.

    Parameters
    ----------
    scores, lesion_id
        Of each image, (n,), n at least 1.
    """
    values = np.array(scores, dtype=np.float64)
    means = [
        weights @ values / weights.sum(axis=1, keepdims=True)
        for weights in lesion_weights(np.array(lesion_id), replicates=replicates, seed=seed)
    ]
    drawn = np.concatenate(means) if means else np.full((0, 3), np.nan)

    def mean(column: int) -> MeanScore:
        bounds = percentile_interval(drawn[:, column], confidence=confidence)
        return MeanScore(value=float(values[:, column].mean()), low=bounds.low, high=bounds.high)

    jaccard, threshold_jaccard, dice = map(mean, range(3))
    return MaskScores(
        images=len(values),
        lesions=len(set(lesion_id)),
        jaccard=jaccard,
        threshold_jaccard=threshold_jaccard,
        dice=dice,
        confidence=confidence,
        replicates=replicates,
        seed=seed,
    )
