"""Events with a score, in bins of equally many images: how often the events happened, against their mean score."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from scipy.special import ndtr  # scipy.stats takes half a second to import

from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.evaluation.metrics import safe_divide

NUM_BINS = 15


class BinRates(NamedTuple):
    """Images in each bin: their number, fraction for which the event happened, and mean score, each (…, m, b).

    Without an image, fraction and mean score are 0.
    """

    n_images: FloatArray
    rate: FloatArray
    mean_score: FloatArray


@dataclass(frozen=True)
class BinnedEvents:
    """Events with a score; the bins are those of the images, also in a resample.

    Attributes
    ----------
    scores
        Score of each of m events for each image, (n, m).
    happened
        Whether the events happened that the scores predict, (n, m).
    num_bins
        Number of bins; fewer where there are fewer images or distinct scores.
    """

    scores: FloatArray
    happened: BoolArray
    num_bins: int = NUM_BINS

    def rates(self, weights: NDArray[Any] | None = None) -> BinRates:
        """Return the images of each bin for each row of ``weights``, (…, n)."""
        weight = np.ones(len(self.scores)) if weights is None else np.asarray(weights, dtype=np.float64)
        sums = np.moveaxis(self._sums @ np.moveaxis(weight, -1, 0), 0, -1)
        shape = (*sums.shape[:-1], 3, self.scores.shape[1], self.num_bins)
        n_images, happened, score = np.moveaxis(sums.reshape(shape), -3, 0)
        rate, mean_score = (np.nan_to_num(safe_divide(total, n_images)) for total in (happened, score))
        return BinRates(n_images, rate, mean_score)

    @cached_property
    def _sums(self) -> csr_array:
        """Matrix whose product with weights (n, …) is their sums by event and bin, of images, events and scores."""
        columns = range(self.scores.shape[1])
        bins = [equal_mass_bins(self.scores[:, k], self.num_bins) for k in columns]
        values = (np.ones(self.scores.shape), self.happened, self.scores)
        blocks = [sum_by_group(bins[k], value[:, k], self.num_bins) for value in values for k in columns]
        return csr_array(vstack(blocks, format="csr"))

    def calibration_error(self, weights: NDArray[Any] | None = None) -> FloatArray:
        """Return the debiased calibration error of each event, (…, m).

        The error is the mean over bins of |fraction − mean score|, weighted by their images, minus the bias that chance
        adds to each absolute value (Kumar et al. 2019, section 4, for a normal distribution).
        """
        n_images, rate, mean_score = self.rates(weights)
        gap = np.abs(rate - mean_score)
        deviation = np.sqrt(np.nan_to_num(safe_divide(rate * (1 - rate), n_images)))
        excess = np.maximum(_mean_absolute_normal(gap, deviation) - gap, 0)
        error = safe_divide((n_images * (gap - excess)).sum(axis=-1), n_images.sum(axis=-1))
        return np.maximum(error, 0)


def sum_by_group(group: NDArray[np.intp], values: NDArray[Any], num_groups: int) -> csr_array:
    """Return the matrix, (num_groups, n), whose product with weights, (n, …), sums weight times value by group."""
    positions = (group, np.arange(len(group)))
    return csr_array((values.astype(np.float64), positions), shape=(num_groups, len(group)))


def equal_mass_bins(values: FloatArray, num_bins: int) -> NDArray[np.intp]:
    """Return the bin of each value, (n,): bins of equally many values in ascending order; equal values in one bin."""
    order = np.argsort(values, kind="stable")
    bins = np.empty(len(values), dtype=np.intp)
    bins[order] = np.arange(len(values)) * min(num_bins, len(values)) // len(values)
    member = np.unique(values, return_inverse=True)[1]
    lowest = np.full(member.max() + 1, num_bins)
    np.minimum.at(lowest, member, bins)
    return np.unique(lowest[member], return_inverse=True)[1]


def _mean_absolute_normal(mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """Return the mean of |x| of a normal distribution (folded normal distribution)."""
    ratio = np.divide(mean, deviation, out=np.full_like(mean, np.inf), where=deviation > 0)
    density = np.where(deviation > 0, 2 * deviation * np.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi), 0)
    return np.asarray(density + mean * (1 - 2 * ndtr(-ratio)))
