"""The permutation test of two models: without a difference, their scores of a lesion could as well be swapped."""

import math

import numpy as np

from lesionlens.errors import ComparisonError
from lesionlens.evaluation.compare.comparison import Alternative, SignificanceResult, check_alternative, count_as_extreme
from lesionlens.evaluation.compare.pairs import check_aligned
from lesionlens.evaluation.compare.values import check_metric_keys, metric_values
from lesionlens.evaluation.decision import DecisionRule
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.sweep import BoolArray

PERMUTATION = "swap"


def permutation_test(
    a: Predictions,
    b: Predictions,
    metric: str,
    scope: str = "macro",
    *,
    n_permutations: int = 1000,
    seed: int = 0,
    alternative: Alternative = "two-sided",
    decision: DecisionRule = "argmax",
) -> SignificanceResult:
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
    check_aligned(a, b)
    key = metric, scope
    check_metric_keys([key], a.classes)
    if n_permutations < 1:
        raise ComparisonError(f"permutations={n_permutations}: one or more are needed")
    _, member = np.unique(a.lesion_id, return_inverse=True)
    lesions = int(member.max()) + 1
    rng = np.random.default_rng(seed)

    def difference(swapped: BoolArray) -> float:
        first, second = _swap_scores(a, b, swapped), _swap_scores(b, a, swapped)
        return float((metric_values(first, [key], decision=decision) - metric_values(second, [key], decision=decision))[0])

    observed = difference(np.zeros(len(a), dtype=bool))
    if math.isnan(observed):
        raise ComparisonError(
            f"the {metric} of {scope} is not defined on these images, so it cannot be compared"
        )
    drawn = np.array([difference(rng.random(lesions)[member] < 0.5) for _ in range(n_permutations)])
    defined = drawn[~np.isnan(drawn)]
    p = (count_as_extreme(defined, observed, alternative) + 1) / (len(defined) + 1)
    return SignificanceResult(observed, math.nan, math.nan, observed, p, lesions, "lesions", PERMUTATION)


def _swap_scores(predictions: Predictions, other: Predictions, swapped: BoolArray) -> Predictions:
    scores = np.where(swapped[:, None], other.scores, predictions.scores)
    return Predictions(predictions.image_id, predictions.lesion_id, predictions.label, scores, predictions.classes, other_class=predictions.other_class)
