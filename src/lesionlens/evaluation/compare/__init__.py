"""Statistics that compare models: over runs, over images, over lesions."""

from lesionlens.evaluation.compare.agreement import mcnemar
from lesionlens.evaluation.compare.bootstrap import bootstrap_difference, bootstrap_differences
from lesionlens.evaluation.compare.comparison import Alternative, Comparison
from lesionlens.evaluation.compare.delong import Area, auc_variance, delong
from lesionlens.evaluation.compare.holm import holm
from lesionlens.evaluation.compare.pairs import Aligned, aligned
from lesionlens.evaluation.compare.ranks import wilcoxon
from lesionlens.evaluation.compare.sign_flip import sign_flip
from lesionlens.evaluation.compare.swap import swap_test
from lesionlens.evaluation.compare.t_tests import paired_t, two_sample_t, two_sample_t_from_summaries

__all__ = [
    "Aligned",
    "Alternative",
    "Area",
    "Comparison",
    "aligned",
    "auc_variance",
    "bootstrap_difference",
    "bootstrap_differences",
    "delong",
    "holm",
    "mcnemar",
    "paired_t",
    "sign_flip",
    "swap_test",
    "two_sample_t",
    "two_sample_t_from_summaries",
    "wilcoxon",
]
