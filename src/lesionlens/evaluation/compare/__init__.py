"""Statistics that compare models: over runs, over images, over lesions."""

from lesionlens.evaluation.compare.agreement import mcnemar
from lesionlens.evaluation.compare.bootstrap import bootstrap_difference, bootstrap_differences
from lesionlens.evaluation.compare.comparison import Alternative, SignificanceResult
from lesionlens.evaluation.compare.delong import AUCWithVariance, auc_variance, delong
from lesionlens.evaluation.compare.holm import holm
from lesionlens.evaluation.compare.pairs import AlignedPredictions, align
from lesionlens.evaluation.compare.ranks import wilcoxon
from lesionlens.evaluation.compare.sign_flip import sign_flip_permutation_test
from lesionlens.evaluation.compare.swap import permutation_test
from lesionlens.evaluation.compare.t_tests import paired_t, two_sample_t, two_sample_t_from_summaries

__all__ = [
    "AlignedPredictions",
    "Alternative",
    "AUCWithVariance",
    "SignificanceResult",
    "align",
    "auc_variance",
    "bootstrap_difference",
    "bootstrap_differences",
    "delong",
    "holm",
    "mcnemar",
    "paired_t",
    "sign_flip_permutation_test",
    "permutation_test",
    "two_sample_t",
    "two_sample_t_from_summaries",
    "wilcoxon",
]
