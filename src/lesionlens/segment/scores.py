"""How well masks agree: Jaccard, thresholded Jaccard and Dice, as the ISIC challenges score them.

Codella et al. 2018, arXiv:1710.05006 (Jaccard); 2019, arXiv:1902.03368 (thresholded). Each image has a score, and
the score of a set is the mean over its images.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from lesionlens.evaluation.intervals import cluster_bootstrap_weights, percentile_interval
from lesionlens.segment.masks import BinaryMask

FAILURE_JACCARD = 0.65  # below which the challenge of 2018 calls a segmentation failed: 0


class ImageMaskMetrics(NamedTuple):
    """The scores of one image."""

    jaccard: float
    thresholded_jaccard: float
    dice: float


class MeanWithInterval(BaseModel):
    """A mean and its percentile interval over lesions drawn with replacement."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class MeanMaskMetrics(BaseModel):
    """The scores of a set of images.

    Attributes
    ----------
    confidence, n_resamples, seed
        Of the intervals.
    """

    model_config = ConfigDict(frozen=True)

    images: int
    lesions: int
    jaccard: MeanWithInterval
    thresholded_jaccard: MeanWithInterval
    dice: MeanWithInterval
    confidence: float
    n_resamples: int
    seed: int

    def __str__(self) -> str:
        return (
            f"Jaccard {self.jaccard}, thresholded {self.thresholded_jaccard}, Dice {self.dice} "
            f"({self.images:,} images of {self.lesions:,} lesions)"
        )


def segmentation_metrics(predicted: BinaryMask, target: BinaryMask) -> ImageMaskMetrics:
    """Score a predicted mask against the true one, both (h, w); two empty masks agree fully.

    Examples
    --------
    >>> image_score(np.array([[True, True, True, False]]), np.array([[False, True, True, True]]))
    ImageScore(jaccard=0.5, threshold_jaccard=0.0, dice=0.6666666666666666)
    """
    if predicted.shape != target.shape:
        raise ValueError(f"masks of {predicted.shape} and {target.shape} cannot be compared")
    both, either = int((predicted & target).sum()), int((predicted | target).sum())
    jaccard = both / either if either else 1.0
    dice = 2 * both / (both + either) if either else 1.0
    return ImageMaskMetrics(jaccard, jaccard if jaccard >= FAILURE_JACCARD else 0.0, dice)


def mean_segmentation_metrics(
    scores: Sequence[ImageMaskMetrics],
    lesion_id: Sequence[str],
    *,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> MeanMaskMetrics:
    """Average the scores of n images; the intervals are over lesions, whose images are drawn together.

    Parameters
    ----------
    scores, lesion_id
        Of each image, (n,), n at least 1.
    """
    values = np.array(scores, dtype=np.float64)
    means = [
        weights @ values / weights.sum(axis=1, keepdims=True)
        for weights in cluster_bootstrap_weights(np.array(lesion_id), n_resamples=n_resamples, seed=seed)
    ]
    drawn = np.concatenate(means) if means else np.full((0, 3), np.nan)

    def mean(column: int) -> MeanWithInterval:
        bounds = percentile_interval(drawn[:, column], confidence=confidence)
        return MeanWithInterval(value=float(values[:, column].mean()), low=bounds.low, high=bounds.high)

    jaccard, threshold_jaccard, dice = map(mean, range(3))
    return MeanMaskMetrics(
        images=len(values),
        lesions=len(set(lesion_id)),
        jaccard=jaccard,
        thresholded_jaccard=threshold_jaccard,
        dice=dice,
        confidence=confidence,
        n_resamples=n_resamples,
        seed=seed,
    )
