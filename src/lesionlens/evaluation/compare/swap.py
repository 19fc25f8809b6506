"""The permutation test of two models: without a difference, their scores of a lesion could as well be swapped."""

import math

import numpy as np

from lesionlens.errors import ComparisonError
from lesionlens.evaluation.compare.comparison import Alternative, Comparison, check_alternative, share_beyond
from lesionlens.evaluation.compare.pairs import check_pair
from lesionlens.evaluation.compare.values import check_keys, values
from lesionlens.evaluation.decision import Decision
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.sweep import Bools

SWAP = "swap"


def swap_test(
    a: Predictions,
    b: Predictions,
    metric: str,
    of: str = "macro",
    *,
    permutations: int = 1000,
    seed: int = 0,
    alternative: Alternative = "two-sided",
    decision: Decision = "argmax",
) -> Comparison:
    """Judge the difference of a metric by swapping the two models' scores, lesion by lesion.

    All images of a lesion are swapped together, with scores of all classes. What is tested is that the two score alike
    in distribution, so scores on different scales differ too: calibrate or rank them before where only the order is
    meant. The permutation that was observed counts as one of the draws (Phipson and Smyth 2010); the statistic is the
    difference itself; an interval there is none.

    Raises
    ------
    ComparisonError
        Predictions that are no pair, a metric that does not exist or is not defined here, or no permutation.
    """
    check_alternative(alternative)
    check_pair(a, b)
    key = metric, of
    check_keys([key], a.classes)
    if permutations < 1:
        raise ComparisonError(f"permutations={permutations}: one or more are needed")
    _, member = np.unique(a.lesion_id, return_inverse=True)
    lesions = int(member.max()) + 1
    rng = np.random.default_rng(seed)

    def difference(swapped: Bools) -> float:
        first, second = _with_scores(a, b, swapped), _with_scores(b, a, swapped)
        return float((values(first, [key], decision=decision) - values(second, [key], decision=decision))[0])

    observed = difference(np.zeros(len(a), dtype=bool))
    if math.isnan(observed):
        raise ComparisonError(
            f"the {metric} of {of} is not defined on these images, so it cannot be compared"
        )
    drawn = np.array([difference(rng.random(lesions)[member] < 0.5) for _ in range(permutations)])
    defined = drawn[~np.isnan(drawn)]
    p = (share_beyond(defined, observed, alternative) + 1) / (len(defined) + 1)
    return Comparison(observed, math.nan, math.nan, observed, p, lesions, "lesions", SWAP)


def _with_scores(own: Predictions, other: Predictions, swapped: Bools) -> Predictions:
    scores = np.where(swapped[:, None], other.scores, own.scores)
    return Predictions(own.image_id, own.lesion_id, own.label, scores, own.classes, rest=own.rest)
