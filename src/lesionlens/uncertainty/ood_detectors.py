"""Detectors of images that are unlike the training data, fitted on the features of calibration images.

A detector is fitted with NumPy and stored as a few arrays. Its scores are compared with those of the calibration images
*as if these were new*: each is scored without the images of its lesion, so that the stated false-alarm rate holds
although all images contribute to the statistics.

| name | score | arrays at n = 2,000 images and f = 2,048 features |
| --- | --- | --- |
| ``knn`` | distance to the k-th nearest calibration image, features of length 1 | 8 MB: at most 2 million values |
| ``mahalanobis`` | distance to the nearest class mean, shared covariance | 4 MB: at most 512 principal components |
| ``vim`` | distance from the principal subspace, minus the energy of the logits | 4 MB: at most 512 components |
| ``msp`` | 1 − the largest class score, the usual baseline | none |

Sources: Sun et al. 2022 (knn), Lee et al. 2018 (mahalanobis), Wang et al. 2022 (vim), Hendrycks and Gimpel 2017 (msp).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.uncertainty.ood_methods import (
    DETECTOR_METHODS,
    DetectorArrays,
    DetectorMethod,
    FeatureArray,
    FeatureSample,
    LinearHead,
)

DETECTORS = tuple(DETECTOR_METHODS)
NUM_FOLDS = 5  # of the lesions, for the held-out scores
_CHUNK_SIZE = 512  # images that are scored at a time


@dataclass(frozen=True)
class OODDetector:
    """Fitted detector of images that are unlike the calibration images; research use only.

    Attributes
    ----------
    name
        Name of the method, one of ``DETECTORS``.
    arrays
        Everything that scores are computed from, by name.
    reference
        Held-out scores of the n calibration images in ascending order, (n,).
    """

    name: str
    arrays: DetectorArrays
    reference: FeatureArray

    def scores(self, features: ArrayLike) -> FeatureArray:
        """Return how unusual images are, (m,): the larger, the more.

        Parameters
        ----------
        features
            Features of the images, (m, f); for ``msp`` their class scores, (m, k).

        Raises
        ------
        DataError
            The number of features is not that of the calibration images, or a feature is not a finite number.
        """
        checked = _check_features(features)
        expected = int(self.arrays["num_features"][0])
        if checked.shape[1] != expected:
            raise DataError(
                f"The detector {self.name} needs {expected} features per image, not {checked.shape[1]}: "
                "pass the features of the model with which it was calibrated"
            )
        score = DETECTOR_METHODS[self.name].score
        chunks = range(0, len(checked), _CHUNK_SIZE)
        parts = [score(self.arrays, checked[start : start + _CHUNK_SIZE]) for start in chunks]
        return np.concatenate([np.empty(0), *parts]).astype(np.float32)

    def percentile(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Return the percentage of calibration images with a lower score, (m,), 0 to 100."""
        below = np.searchsorted(self.reference, np.asarray(scores, np.float32), side="left")
        return 100 * below / len(self.reference)

    def cutoff(self, false_alarm_rate: float = 0.05) -> float:
        """Return the score above which an image counts as unknown.

        An image of a new lesion, exchangeable with the calibration images, exceeds it with at most the given
        probability: it is the score of rank ⌈(n + 1)(1 − rate)⌉ of the n reference scores.

        Parameters
        ----------
        false_alarm_rate
            Fraction of known images that may be flagged, above 0 and below 1.

        Returns
        -------
        float
            The threshold; infinite if n is too small for the rate (19 images are needed for 0.05), so that no image is
            flagged.

        Raises
        ------
        DataError
            The rate is not between 0 and 1.
        """
        if not 0 < false_alarm_rate < 1:
            raise DataError(f"false-alarm rate {false_alarm_rate} is not between 0 and 1, for example 0.05")
        # rounded: (n + 1)(1 − rate) must not exceed an integer because of its last digit
        rank = int(np.ceil(round((len(self.reference) + 1) * (1 - false_alarm_rate), 9)))
        return float(self.reference[rank - 1]) if rank <= len(self.reference) else float("inf")


def fit_detector(
    name: str,
    features: ArrayLike,
    lesion_ids: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    head: LinearHead | None = None,
    seed: int = 0,
) -> OODDetector:
    """Fit a detector on calibration images, and score each of them without its lesion.

    ``knn`` excludes one lesion at a time from the neighbors; the other methods are fitted on four of five random
    parts of the lesions and score the fifth. Images with equal features count as images of one lesion: a copy in
    another lesion does not make a held-out score lower.

    Parameters
    ----------
    name
        One of ``DETECTORS``.
    features
        Features of the calibration images, (n, f); for ``msp`` their class scores, (n, k).
    lesion_ids
        Lesion of each image, (n,).
    labels
        Class of each image, (n,), for the class means of ``mahalanobis``; default: one mean.
    head
        Last layer of the network, for the energy term of ``vim``; default: only the distance from the subspace.
    seed
        Random seed of the parts of the lesions, and of the images that ``knn`` stores if it cannot store all.

    Raises
    ------
    DataError
        The name is unknown; a feature is not a finite number; the arrays differ in length; the images have equal
        features, or are of fewer than 2 lesions; each class has a single image.
    """
    if name not in DETECTOR_METHODS:
        raise DataError(unknown_name_message("detector", name, DETECTORS))
    data = _calibration_data(features, lesion_ids, labels, head, seed)
    method = DETECTOR_METHODS[name]
    size = {"num_features": np.array([data.features.shape[1]], np.float32)}
    arrays = size | method.fit(data)
    held_out = (
        _cross_fitted_scores(method, data) if method.held_out is None else method.held_out(arrays, data)
    )
    return OODDetector(name, arrays, np.sort(held_out.astype(np.float32)))


def _calibration_data(
    features: ArrayLike,
    lesion_ids: ArrayLike,
    labels: ArrayLike | None,
    head: LinearHead | None,
    seed: int,
) -> FeatureSample:
    """Return checked features, groups of images and classes."""
    checked = _check_features(features)
    lesions = np.asarray(lesion_ids)
    classes = np.zeros(len(checked)) if labels is None else np.asarray(labels)
    if not lesions.shape == classes.shape == (len(checked),):
        raise DataError(
            f"{len(checked)} rows of features, {len(lesions)} lesions and {len(classes)} labels differ in number: "
            "pass one of each per image"
        )
    if len(np.unique(lesions)) < 2:
        raise DataError(
            "Images of unknown kind cannot be detected from fewer than 2 calibration lesions: use more images"
        )
    groups = _merge_copies(checked, lesions)
    if groups.max() == 0:
        raise DataError(
            f"The features of the {len(checked)} calibration images do not tell lesions apart: they are equal or "
            "copies of each other. Check whether the model is trained and the images differ"
        )
    return FeatureSample(checked, groups, np.unique(classes, return_inverse=True)[1], head, seed)


def _check_features(features: ArrayLike) -> FeatureArray:
    """Return features as an array (n, f) of finite numbers."""
    array = np.asarray(features, np.float32)
    if array.ndim != 2 or not array.shape[1]:
        raise DataError(f"Features have the shape {array.shape}: pass one row per image, (n, f)")
    if not np.isfinite(array).all():
        rows = np.flatnonzero(~np.isfinite(array).all(axis=1))
        raise DataError(
            f"Features of {len(rows)} of {len(array)} images are not finite numbers (the first in row {rows[0]}): "
            "check whether the weights of the model are damaged"
        )
    return array


def _merge_copies(features: FeatureArray, lesions: NDArray[Any]) -> NDArray[np.intp]:
    """Return a group index of each image, (n,): images of a lesion are in one group, and so are equal images."""
    lesion = np.unique(lesions, return_inverse=True)[1]
    copy = np.unique(features, axis=0, return_inverse=True)[1].reshape(-1)
    group = lesion.copy()
    while True:
        merged = group
        for member in (copy, lesion):
            smallest = np.full(len(group), len(group))
            np.minimum.at(smallest, member, merged)
            merged = smallest[member]
        if np.array_equal(merged, group):
            return np.unique(group, return_inverse=True)[1]
        group = merged


def _cross_fitted_scores(method: DetectorMethod, data: FeatureSample) -> FeatureArray:
    """Return the score of each image by a detector that was fitted on other groups of images, (n,)."""
    num_groups = int(data.groups.max()) + 1
    fold = (np.random.default_rng(data.seed).permutation(num_groups) % min(NUM_FOLDS, num_groups))[
        data.groups
    ]
    scores = np.empty(len(fold), np.float32)
    for index in range(fold.max() + 1):
        rest = method.fit(data.select(fold != index))
        scores[fold == index] = method.score(rest, data.features[fold == index])
    return scores
