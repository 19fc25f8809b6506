"""Two rows in a column that is put together from others: lesions are drawn once for all of its runs."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.errors import ComparisonError
from lesionlens.evaluation.compare import Comparison
from lesionlens.evaluation.compare.bootstrap import from_replicates
from lesionlens.evaluation.compare.values import Key, check_keys, values
from lesionlens.evaluation.intervals import lesion_weights
from lesionlens.evaluation.prediction_table import Predictions

REPLICATES = 2000


class Term(NamedTuple):
    """A metric that the column adds up by its weight, and the two rows' scores of the same images in one order."""

    weight: float
    better: Predictions
    than: Predictions
    key: Key


def drawn_difference(terms: Sequence[Term], *, replicates: int = REPLICATES, seed: int = 0) -> Comparison:
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
    terms = [_on(each, sorted(shared)) for each in terms]
    for each in terms:
        check_keys([each.key], each.better.classes)
    labels = np.array(["/".join(found) for found in zip(*(each.better.label for each in terms), strict=True)])
    lesions = terms[0].better.lesion_id
    weights = lesion_weights(lesions, replicates=replicates, seed=seed, strata=labels)
    drawn = np.concatenate([_sum(terms, each) for each in weights])
    return from_replicates(float(_sum(terms, None)), drawn, len(np.unique(lesions)))


def _on(term: Term, images: Sequence[str]) -> Term:
    place = {str(name): row for row, name in enumerate(term.better.image_id)}
    rows = np.array([place[name] for name in images])
    return term._replace(better=term.better.select(rows), than=term.than.select(rows))


def _sum(terms: Sequence[Term], weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
    return np.asarray(
        sum(
            each.weight
            * (
                values(each.better, [each.key], weights=weights)
                - values(each.than, [each.key], weights=weights)
            )[0]
            for each in terms
        )
    )
