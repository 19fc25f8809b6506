"""Scores by which images are detected that are unlike the calibration images: one fit and one score per method."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import DataError

FeatureArray = NDArray[np.float32]
FloatingArray = NDArray[np.floating[Any]]
DetectorArrays = dict[str, FeatureArray]

NUM_NEIGHBORS = 10
MAX_BANK_VALUES = 2_000_000  # of the stored features of knn: 8 MB
MAX_COMPONENTS = 512
PRINCIPAL_VARIANCE = 0.9  # fraction of the variance in the principal subspace of vim


class LinearHead(NamedTuple):
    """Last layer of a network, logits = features @ weight.T + bias; weight (k, f), bias (k,)."""

    weight: FeatureArray
    bias: FeatureArray


class FeatureSample(NamedTuple):
    """What a detector is fitted on.

    Attributes
    ----------
    features
        Features of the images, (n, f).
    groups
        Index of the lesion of each image, (n,).
    classes
        Index of the class of each image, (n,).
    head
        Last layer of the network, if it is given.
    seed
        Random seed of the images that are stored if there are too many.
    """

    features: FeatureArray
    groups: NDArray[np.intp]
    classes: NDArray[np.intp]
    head: LinearHead | None
    seed: int = 0

    def select(self, rows: NDArray[Any]) -> "FeatureSample":
        """Return the sample of some images."""
        return FeatureSample(self.features[rows], self.groups[rows], self.classes[rows], self.head, self.seed)


# --- k nearest neighbors ---------------------------------------------------------------------------------------------


def _fit_knn(data: FeatureSample) -> DetectorArrays:
    """Store features of length 1 (Sun et al. 2022, section 3): all, or as many lesions as possible."""
    rows = _bank_rows(data)
    return {"bank": _unit_length(data.features[rows]), "bank_group": data.groups[rows].astype(np.float32)}


def _bank_rows(data: FeatureSample) -> NDArray[np.intp]:
    """Return the images to store: in random order, the first of each group, then the second of each, and so on."""
    order = np.random.default_rng(data.seed).permutation(len(data.groups))
    by_group = order[np.argsort(data.groups[order], kind="stable")]
    groups = data.groups[by_group]
    rank = np.arange(len(groups)) - np.searchsorted(groups, groups)
    limit = max(2, MAX_BANK_VALUES // data.features.shape[1])
    return np.sort(by_group[np.argsort(rank, kind="stable")][:limit])


def _score_knn(arrays: DetectorArrays, features: FeatureArray) -> FeatureArray:
    return _neighbor_distance(arrays["bank"] @ _unit_length(features).T)


def _knn_held_out(arrays: DetectorArrays, data: FeatureSample) -> FeatureArray:
    """Return the distance of each image to the k-th nearest image of another lesion, (n,)."""
    similarity = arrays["bank"] @ _unit_length(data.features).T
    same = arrays["bank_group"][:, None] == data.groups
    similarity[same] = -np.inf
    return _neighbor_distance(similarity, available=(~same).sum(axis=0).min())


def _neighbor_distance(similarity: FeatureArray, *, available: int | None = None) -> FeatureArray:
    """Return the distance to the k-th most similar of b stored images from cosine similarities (b, m), (m,)."""
    k = min(NUM_NEIGHBORS, len(similarity) if available is None else available)
    kth = -np.partition(-similarity, k - 1, axis=0)[k - 1]
    return np.asarray(np.sqrt(np.maximum(2 - 2 * kth, 0)), np.float32)


def _unit_length(features: FeatureArray) -> FeatureArray:
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(length, 1e-12), np.float32)


# --- Mahalanobis distance --------------------------------------------------------------------------------------------


def _fit_mahalanobis(data: FeatureSample) -> DetectorArrays:
    """Estimate class means and their shared covariance (Lee et al. 2018, equation 1), shrunk by Ledoit and Wolf 2004.

    The shrunk covariance is (1 − ρ) S + ρ μ I. Its largest 512 eigenvalues are stored with their vectors; the others
    are replaced by their average, which is exact if there are no more than 512 different ones.
    """
    center = data.features.mean(axis=0, dtype=np.float64)
    present, member = np.unique(data.classes, return_inverse=True)
    means = np.stack([data.features[member == c].mean(axis=0, dtype=np.float64) for c in range(len(present))])
    deviations = data.features - means[member]
    n, f = deviations.shape
    variance = float(np.square(deviations).sum()) / n
    if variance <= 1e-12 * float(np.square(data.features).sum()):
        raise DataError(
            f"The features of {n} calibration images do not vary within a class, so that their covariance cannot be "
            "estimated: use more images, or no labels"
        )
    eigenvalues, basis = _principal_components(deviations, min(MAX_COMPONENTS, n, f))
    shrinkage = _ledoit_wolf_shrinkage(deviations)
    rest = max(variance - eigenvalues.sum(), 0.0) / max(1, f - len(eigenvalues))
    shrunk, rest_shrunk = (
        (1 - shrinkage) * value + shrinkage * variance / f for value in (eigenvalues, rest)
    )
    floor = 1e-9 * variance  # without shrinkage, directions without variance have infinite distances
    return {
        "center": center.astype(np.float32),
        "class_means": (means - center).astype(np.float32),
        "basis": basis.astype(np.float32),
        "std": np.sqrt(np.maximum(shrunk, floor)).astype(np.float32),
        "rest_std": np.sqrt([max(rest_shrunk, floor)]).astype(np.float32),
    }


def _score_mahalanobis(arrays: DetectorArrays, features: FeatureArray) -> FeatureArray:
    """Return the distance to the nearest class mean, (m,)."""
    basis = arrays["basis"]
    projected, rest = _split(features - arrays["center"], basis)
    mean_projected, mean_rest = _split(arrays["class_means"], basis)
    squares = [
        np.square((projected - mean) / arrays["std"]).sum(axis=1)
        + np.square((rest - other) / arrays["rest_std"]).sum(axis=1)
        for mean, other in zip(mean_projected, mean_rest, strict=True)
    ]
    return np.asarray(np.sqrt(np.min(squares, axis=0)), np.float32)


def _split(deviations: FloatingArray, basis: FloatingArray) -> tuple[FloatingArray, FloatingArray]:
    """Return the coordinates of vectors (m, f) in a basis (f, d), and what remains of the vectors."""
    projected = deviations @ basis
    return projected, deviations - projected @ basis.T


def _principal_components(
    deviations: FloatingArray, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the largest eigenvalues of the second moments of deviations (n, f), and their vectors (f, count)."""
    n, f = deviations.shape
    wide = n < f
    moments = (deviations @ deviations.T if wide else deviations.T @ deviations) / n
    eigenvalues, vectors = np.linalg.eigh(moments.astype(np.float64))
    eigenvalues, vectors = eigenvalues[::-1][:count], vectors[:, ::-1][:, :count]
    positive = eigenvalues > 1e-10 * eigenvalues[0]
    eigenvalues, vectors = eigenvalues[positive], vectors[:, positive]
    if wide:
        vectors = deviations.T @ vectors / np.sqrt(n * eigenvalues)
    return eigenvalues, vectors


def _ledoit_wolf_shrinkage(deviations: FloatingArray) -> float:
    """Return the weight ρ of the spherical covariance, 0 to 1 (Ledoit and Wolf 2004, equation 14)."""
    n, f = deviations.shape
    gram = deviations @ deviations.T if n < f else deviations.T @ deviations
    mean_variance = float(np.square(deviations).sum()) / n / f
    squared_norm = float(np.square(gram, dtype=np.float64).sum()) / n**2
    distance = squared_norm / f - mean_variance**2
    fourth = float(np.square(np.square(deviations).sum(axis=1), dtype=np.float64).sum()) / n
    error = (fourth - squared_norm) / (n * f)
    return 0.0 if distance <= 0 else float(np.clip(error / distance, 0, 1))


# --- Virtual logit matching ------------------------------------------------------------------------------------------


def _fit_vim(data: FeatureSample) -> DetectorArrays:
    """Find the principal subspace, and match the distance from it to the logits (Wang et al. 2022, section 4).

    The subspace has 90 % of the second moments, at most 512 dimensions, at most a quarter of the images and at most
    half of the features: the paper's fixed 512 or 1,000 dimensions would contain every image of a small dataset.
    """
    head = data.head
    if head is None:
        origin = data.features.mean(axis=0, dtype=np.float64)
    else:
        weight, bias = (np.asarray(value, np.float64) for value in head)
        origin = -np.linalg.pinv(weight) @ bias
    deviations = data.features - origin
    n, f = deviations.shape
    eigenvalues, basis = _principal_components(deviations, min(n, f))
    explained = np.cumsum(eigenvalues) / max(float(np.square(deviations).sum()) / n, 1e-30)
    enough = 1 + int(np.searchsorted(explained, PRINCIPAL_VARIANCE))
    d = max(1, min(enough, MAX_COMPONENTS, n // 4, f // 2))
    arrays = {"origin": origin.astype(np.float32), "basis": basis[:, :d].astype(np.float32)}
    if head is None:
        return arrays
    residual = np.linalg.norm(_split(deviations, basis[:, :d])[1], axis=1)
    largest = (data.features @ weight.T + bias).max(axis=1)
    return arrays | {
        "alpha": np.array([largest.mean() / max(residual.mean(), 1e-12)], np.float32),
        "weight": weight.astype(np.float32),
        "bias": bias.astype(np.float32),
    }


def _score_vim(arrays: DetectorArrays, features: FeatureArray) -> FeatureArray:
    """Return the distance from the subspace; with a last layer, times α and minus the energy (equation 4), (m,)."""
    _, rest = _split(features - arrays["origin"], arrays["basis"])
    residual = np.asarray(np.linalg.norm(rest, axis=1), np.float32)
    if "weight" not in arrays:
        return residual
    logits = features @ arrays["weight"].T + arrays["bias"]
    return np.asarray(arrays["alpha"] * residual - np.logaddexp.reduce(logits, axis=1), np.float32)


# --- Maximum softmax probability -------------------------------------------------------------------------------------


def _fit_msp(data: FeatureSample) -> DetectorArrays:
    if data.features.min() < 0 or data.features.max() > 1:
        raise DataError("The detector msp needs class scores between 0 and 1, (n, k), instead of features")
    return {}


def _score_msp(_arrays: DetectorArrays, features: FeatureArray) -> FeatureArray:
    """Return 1 − the largest class score; of a single class, the score of its absence counts too, (m,)."""
    scores = np.hstack([features, 1 - features]) if features.shape[1] == 1 else features
    return np.asarray(1 - scores.max(axis=1), np.float32)


class DetectorMethod(NamedTuple):
    """Functions of a detector.

    Attributes
    ----------
    fit
        Returns the arrays that ``score`` needs.
    score
        Returns the scores of features (m, f), (m,).
    held_out
        Returns the scores of the calibration images without their lesion, (n,); None: by fits on parts of the lesions.
    """

    fit: Callable[[FeatureSample], DetectorArrays]
    score: Callable[[DetectorArrays, FeatureArray], FeatureArray]
    held_out: Callable[[DetectorArrays, FeatureSample], FeatureArray] | None = None


DETECTOR_METHODS = {
    "knn": DetectorMethod(_fit_knn, _score_knn, _knn_held_out),
    "mahalanobis": DetectorMethod(_fit_mahalanobis, _score_mahalanobis),
    "vim": DetectorMethod(_fit_vim, _score_vim),
    "msp": DetectorMethod(_fit_msp, _score_msp),
}
