"""Metrics of a map against everything that is known about its image: lesion, artifacts, where observers look.

The metrics of continuous maps are those of the MIT saliency benchmark (Bylinskii et al. 2019, "What do different
evaluation metrics tell us about saliency models?", section 3, and the benchmark's code).
"""

from typing import NamedTuple

import numpy as np

from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.explanation.localization_metrics import localization_metrics
from lesionlens.explanation.overlay import min_max_normalize
from lesionlens.imaging.stitching import StitchedMap

EPSILON = float(np.finfo(np.float64).eps)  # of the benchmark's KL divergence


class LoadedReferences(NamedTuple):
    """What a map of an image is compared with, on the pixels of the image, (h, w); None if it is not known.

    Attributes
    ----------
    lesion
        True inside the lesion.
    artifacts
        True on hair, rulers and other artifacts.
    density
        Continuous map, such as a gaze density.
    fixations
        True at the points where observers looked.
    """

    lesion: BoolArray | None = None
    artifacts: BoolArray | None = None
    density: FloatArray | None = None
    fixations: BoolArray | None = None


class MapMetrics(NamedTuple):
    """Metrics of one map of one image; NaN where the image has no such reference.

    Attributes
    ----------
    iou, iou_auc, pointing_game, energy_pointing_game
        As in ``LocalizationMetrics``, against the lesion mask.
    artifact_energy
        Fraction of the sum of the normalized map that is on artifacts.
    artifact_area
        Fraction of the pixels that are on artifacts: ``artifact_energy`` of a map without preference.
    correlation
        Pearson's correlation with the continuous map (CC of the benchmark), -1 to 1.
    kl_divergence
        Kullback-Leibler divergence of the map from the continuous map, both as distributions over pixels; 0 if they are
        equal.
    nss
        Normalized scanpath saliency: mean over the fixations of the map in standard deviations from its mean.
    """

    iou: float = np.nan
    iou_auc: float = np.nan
    pointing_game: float = np.nan
    energy_pointing_game: float = np.nan
    artifact_energy: float = np.nan
    artifact_area: float = np.nan
    correlation: float = np.nan
    kl_divergence: float = np.nan
    nss: float = np.nan


MASK_METRICS = MapMetrics._fields[: MapMetrics._fields.index("correlation")]
"""Metrics that need only masks, each a fraction."""


def measure_map(stitched: StitchedMap, references: LoadedReferences) -> MapMetrics:
    """Compute all metrics of a map for which its image has a reference; pixels outside all crops are ignored.

    A constant map has a correlation and an NSS of 0, and the KL divergence of a uniform distribution.

    Raises
    ------
    DataError
        Map and references have different sizes.
    ModelError
        The map contains values that are not finite.
    """
    coverage = stitched.coverage
    normalized = min_max_normalize(stitched.values, coverage)[coverage]
    metrics = MapMetrics()
    lesion, artifacts, density, fixations = references
    if lesion is not None and lesion[coverage].any():
        metrics = metrics._replace(**localization_metrics(stitched.values, lesion, coverage)._asdict())
    if artifacts is not None and artifacts[coverage].any():
        energy, area = energy_and_area(normalized, artifacts[coverage])
        metrics = metrics._replace(artifact_energy=energy, artifact_area=area)
    if density is not None and np.ptp(density[coverage]) > 0:
        metrics = metrics._replace(
            correlation=correlation_coefficient(normalized, density[coverage]),
            kl_divergence=kl_divergence(normalized, density[coverage]),
        )
    if fixations is not None and fixations[coverage].any():
        metrics = metrics._replace(nss=normalized_scanpath_saliency(normalized, fixations[coverage]))
    return metrics


def energy_and_area(values: FloatArray, inside: BoolArray) -> tuple[float, float]:
    """Return the fractions of a map's sum and of its pixels, both (n,), inside a mask; equal for a zero map."""
    area = float(inside.mean())
    total = float(values.sum())
    return (float(values[inside].sum()) / total if total > 0 else area), area


def correlation_coefficient(values: FloatArray, density: FloatArray) -> float:
    """Return Pearson's correlation of two maps, (n,) each; 0 if the first is constant.

    Examples
    --------
    >>> correlation_coefficient(np.array([0.0, 1.0, 2.0]), np.array([5.0, 3.0, 1.0]))
    -1.0
    """
    if not np.ptp(values):
        return 0.0
    a, b = values - values.mean(), density - density.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def kl_divergence(values: FloatArray, density: FloatArray) -> float:
    """Return the sum of ``q log(eps + q / (p + eps))`` for the density q and the map p, normalized to a sum of 1.

    Parameters
    ----------
    values
        Map p, (n,), not negative; uniform if it is 0 everywhere.
    density
        Continuous map q that it is compared with, (n,), not negative.
    """
    p = values / values.sum() if values.any() else np.full(len(values), 1 / len(values))
    q = density / density.sum()
    return float((q * np.log(EPSILON + q / (p + EPSILON))).sum())


def normalized_scanpath_saliency(values: FloatArray, fixations: BoolArray) -> float:
    """Return the mean at the fixations of a map with mean 0 and sample standard deviation 1; 0 if it is constant.

    Examples
    --------
    >>> normalized_scanpath_saliency(np.array([0.0, 1.0, 2.0]), np.array([False, False, True]))
    1.0
    """
    if not np.ptp(values):
        return 0.0
    return float((values[fixations].mean() - values.mean()) / values.std(ddof=1))
