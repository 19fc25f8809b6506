"""Two rows in a column that is put together from others: lesions are drawn once for all of its runs."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.errors import ComparisonError
from lesionlens.evaluation.compare import SignificanceResult
from lesionlens.evaluation.compare.bootstrap import bootstrap_result
from lesionlens.evaluation.compare.values import MetricKey, check_metric_keys, metric_values
from lesionlens.evaluation.intervals import cluster_bootstrap_weights
from lesionlens.evaluation.prediction_table import Predictions

DEFAULT_RESAMPLES = 2000


class WeightedTerm(NamedTuple):
    """A metric that the column adds up by its weight, and the two rows' scores of the same images in one order."""

    weight: float
    better: Predictions
    worse: Predictions
    key: MetricKey


def bootstrap_weighted_sum(terms: Sequence[WeightedTerm], *, n_resamples: int = DEFAULT_RESAMPLES, seed: int = 0) -> SignificanceResult:
    """Compare two rows as `bootstrap_difference` does, in a weighted sum of metrics of several runs.

    Only images that all runs scored count. Lesions are drawn for all runs at once, as many as there are of each
    combination of labels. p is two-sided, as there.

    Raises
    ------
    ComparisonError
        A metric that does not exist, or runs of different test images.
    """
    shared = set.intersection(*(set(each.better.image_id.tolist()) for each in terms))
    if not shared:
        raise ComparisonError("the runs that the column puts together have no test image in common")
    terms = [_restrict_to(each, sorted(shared)) for each in terms]
    for each in terms:
        check_metric_keys([each.key], each.better.classes)
    labels = np.array(["/".join(found) for found in zip(*(each.better.label for each in terms), strict=True)])
    lesions = terms[0].better.lesion_id
    weights = cluster_bootstrap_weights(lesions, n_resamples=n_resamples, seed=seed, strata=labels)
    drawn = np.concatenate([_weighted_difference(terms, each) for each in weights])
    return bootstrap_result(float(_weighted_difference(terms, None)), drawn, len(np.unique(lesions)))


def _restrict_to(term: WeightedTerm, images: Sequence[str]) -> WeightedTerm:
    place = {str(name): row for row, name in enumerate(term.better.image_id)}
    rows = np.array([place[name] for name in images])
    return term._replace(better=term.better.select(rows), worse=term.worse.select(rows))


def _weighted_difference(terms: Sequence[WeightedTerm], weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
    return np.asarray(
        sum(
            each.weight
            * (
                metric_values(each.better, [each.key], weights=weights)
                - metric_values(each.worse, [each.key], weights=weights)
            )[0]
            for each in terms
        )
    )
