"""Association of an artifact with the class: rates by class, chi-square test and Cramér's V."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from lesionlens.core.bootstrap import cluster_bootstrap_weights, percentile_interval
from lesionlens.core.types import FloatArray

_SIGNIFICANCE_LEVEL = 0.05  # of all artifacts together
_NUM_RESAMPLES = 1000


class ClassRate(NamedTuple):
    """Number of images of a class whose label of the artifact is known, and how many of them show it."""

    class_name: str
    num_present: int
    num_images: int

    def __str__(self) -> str:
        return f"{round(100 * self.fraction)} % of {self.class_name}"

    @property
    def fraction(self) -> float:
        """Fraction of the images that show the artifact."""
        return self.num_present / self.num_images


class ArtifactAssociation(NamedTuple):
    """Association of one artifact with the class.

    Attributes
    ----------
    artifact
        Name of the artifact.
    rates
        How often each class shows it.
    cramers_v
        Cramér's V, from 0 (independent) to 1 (the artifact determines the class or the class the artifact).
    low, high
        95 % interval of Cramér's V, bootstrapped over lesions; NaN if it has no width.
    chi_square, degrees_of_freedom
        Pearson's statistic without continuity correction.
    p_value
        Of the chi-square test, which treats all images as independent.
    is_significant
        Whether the p-value times the number of tested artifacts is below 0.05 (Bonferroni).
    """

    artifact: str
    rates: tuple[ClassRate, ...]
    cramers_v: float
    low: float
    high: float
    chi_square: float
    degrees_of_freedom: int
    p_value: float
    is_significant: bool

    def format_rates(self) -> str:
        """Return the rates of all classes, such as ``60 % of melanoma, 12 % of nevus``."""
        return ", ".join(map(str, self.rates))


def find_artifact_associations(
    labels: pd.DataFrame, diagnosis: NDArray[np.str_], groups: NDArray[np.str_], *, seed: int = 0
) -> tuple[ArtifactAssociation, ...]:
    """Test each artifact that some, but not all, images show for an association with the class.

    Parameters
    ----------
    labels
        1, 0 or NaN for each image and artifact, (n, artifacts), as from ``load_artifact_labels``.
    diagnosis
        Class of each image, (n,); images without a class (``""``) are ignored.
    groups
        Lesion or patient of each image, (n,), which are resampled together.
    seed
        Random seed of the bootstrap.

    Returns
    -------
    tuple of ArtifactAssociation
        The strongest first; empty with fewer than two classes.
    """
    usable = {str(name): (labels[name].notna() & (diagnosis != "")).to_numpy() for name in labels}
    tested = {
        name: rows
        for name, rows in usable.items()
        if labels[name][rows].nunique() == 2 and len(set(diagnosis[rows])) >= 2
    }
    associations = [
        _associate(
            name, labels[name][rows].to_numpy(dtype=bool), diagnosis[rows], groups[rows], len(tested), seed
        )
        for name, rows in tested.items()
    ]
    return tuple(sorted(associations, key=lambda association: -association.cramers_v))


def _associate(
    artifact: str,
    present: NDArray[np.bool_],
    diagnosis: NDArray[np.str_],
    groups: NDArray[np.str_],
    num_tests: int,
    seed: int,
) -> ArtifactAssociation:
    classes, class_index = np.unique(diagnosis, return_inverse=True)
    statistic, v = _chi_square_and_v(present, class_index, np.ones((1, len(present))))
    resampled = [
        _chi_square_and_v(present, class_index, weights)[1]
        for weights in cluster_bootstrap_weights(groups, n_resamples=_NUM_RESAMPLES, seed=seed)
    ]
    interval = percentile_interval(np.concatenate(resampled))
    degrees_of_freedom = len(classes) - 1
    p_value = float(chi2.sf(statistic[0], degrees_of_freedom))
    rates = tuple(
        ClassRate(str(name), int(present[class_index == index].sum()), int((class_index == index).sum()))
        for index, name in enumerate(classes)
    )
    return ArtifactAssociation(
        artifact, rates, float(v[0]), interval.low, interval.high, float(statistic[0]), degrees_of_freedom, p_value,
        p_value * num_tests < _SIGNIFICANCE_LEVEL,
    )  # fmt: skip


def _chi_square_and_v(
    present: NDArray[np.bool_], class_index: NDArray[np.intp], weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return Pearson's statistic and Cramér's V, (r,) each, for image weights (r, n); V is NaN without variation."""
    is_class = class_index[:, None] == np.arange(class_index.max() + 1)
    totals = weights @ is_class
    counts = np.stack(
        [weights @ (is_class & present[:, None]), weights @ (is_class & ~present[:, None])], axis=1
    )
    num_images = weights.sum(axis=1)
    expected = counts.sum(axis=2, keepdims=True) * totals[:, None] / num_images[:, None, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = (counts - expected) ** 2 / expected
    statistic = np.where(expected > 0, terms, 0.0).sum(axis=(1, 2))
    varies = (counts.sum(axis=2) > 0).all(axis=1) & ((totals > 0).sum(axis=1) > 1)
    # a table of two rows: the smaller number of rows and columns, minus one, is 1
    return statistic, np.where(varies, np.sqrt(statistic / num_images), np.nan)
