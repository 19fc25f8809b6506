"""Significance tests and intervals for comparing models: over lesions, over images and over runs."""

from lesionlens.evaluation.comparison.alignment import AlignedPredictions, align
from lesionlens.evaluation.comparison.bootstrap import (
    bootstrap_difference,
    bootstrap_differences,
    permutation_test,
)
from lesionlens.evaluation.comparison.delong import AUCWithVariance, auc_variance, delong
from lesionlens.evaluation.comparison.result import Alternative, SignificanceResult, holm
from lesionlens.evaluation.comparison.tests import (
    mcnemar,
    paired_t,
    sign_flip_permutation_test,
    two_sample_t,
    two_sample_t_from_summaries,
    wilcoxon,
)

__all__ = [
    "AUCWithVariance",
    "AlignedPredictions",
    "Alternative",
    "SignificanceResult",
    "align",
    "auc_variance",
    "bootstrap_difference",
    "bootstrap_differences",
    "delong",
    "holm",
    "mcnemar",
    "paired_t",
    "permutation_test",
    "sign_flip_permutation_test",
    "two_sample_t",
    "two_sample_t_from_summaries",
    "wilcoxon",
]
