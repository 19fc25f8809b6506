"""Result of a claim: estimate, interval, p-values, and the verdict."""

import math
from dataclasses import dataclass
from typing import Literal

from lesionlens.reproduction.claim_hypotheses import ClaimKind

SIGNIFICANCE_LEVEL = 0.05
TIE_TOLERANCE = 1e-12  # rounding error of a mean whose terms cancel

ClaimVerdict = Literal[
    "holds",
    "same direction, not shown",
    "opposite direction",
    "opposite, and shown",
    "no difference",
    "the same run here",
    "not run",
    "not judged",
]
VERDICT_LABELS: dict[ClaimVerdict, str] = {
    "holds": "as claimed, p < 0.05 one-sided after Holm's correction over the claims of this page",
    "same direction, not shown": "as claimed, but not significantly: by chance, or with too few runs to tell",
    "opposite direction": "not as claimed, but not significantly: by chance, or with too few runs to tell",
    "opposite, and shown": "the contrary, p < 0.05 two-sided after Holm's correction over the claims of this page",
    "no difference": "both sides have the same value",
    "the same run here": "both rows have the same run under this profile, so there is nothing to compare",
    "not run": "no run has all values that the claim compares, in runs of equal seed and fold",
    "not judged": "synthetic images, a small network, a changed protocol, or a part of the runs: these neither support "
    "nor contradict a claim",
}


@dataclass(frozen=True)
class ClaimResult:
    """Test of one statement, in the table's unit; a correlation has no unit.

    Of a statement on many pairs, values are those of the pair with the largest p-value.

    Attributes
    ----------
    kind
        Kind of the claim.
    statement, subject, quote, remark
        As of `Hypothesis`.
    cells
        Rows and columns whose values are compared.
    published_difference, published_support
        Published value of the contrast, and how far it is on the claimed side; NaN if one is missing.
    difference, low, high
        Mean measured contrast over pairs of equal run and fold, and its interval; NaN if undefined.
    support
        How far ``difference`` is on the claimed side; negative if it is on the other.
    confidence
        Confidence level of the interval: 0.95, or 0.9 of an equivalence (two one-sided tests).
    num_pairs
        Number of pairs of runs.
    test
        Name of the test behind interval and p-values; "" if there is none.
    p, p_two_sided
        p-value of the claim, one-sided, and of its contrary, two-sided; NaN if there is no test.
    p_holm, p_two_sided_holm
        Both p-values after Holm's correction over the claims of the page.
    p_sign_flip
        One-sided p-value of the permutation test, from five pairs on.
    identical_runs
        Whether both sides have the same runs.
    note
        Reason why there is no test, or a remark on it.
    is_judged
        Whether all runs are finished and comparable with the paper's, so that there is a verdict.
    """

    kind: ClaimKind
    statement: str
    subject: str
    quote: str
    cells: tuple[tuple[str, str], ...]
    published_difference: float
    published_support: float
    remark: str = ""
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    support: float = math.nan
    confidence: float = 0.95
    num_pairs: int = 0
    test: str = ""
    p: float = math.nan
    p_two_sided: float = math.nan
    p_holm: float = math.nan
    p_two_sided_holm: float = math.nan
    p_sign_flip: float = math.nan
    identical_runs: bool = False
    note: str = ""
    is_judged: bool = True

    @property
    def published_supports_claim(self) -> bool | None:
        """Whether the published values are as claimed; None if one is missing."""
        return None if math.isnan(self.published_support) else self.published_support > 0

    @property
    def verdict(self) -> ClaimVerdict:
        """Whether the claim holds on these runs: a key of ``VERDICT_LABELS``."""
        if self.identical_runs:
            return "the same run here"
        if math.isnan(self.difference):
            return "not run"
        if not self.is_judged:
            return "not judged"
        if abs(self.support) < TIE_TOLERANCE:
            return "no difference"
        if self.support > 0:
            return "holds" if self.p_holm < SIGNIFICANCE_LEVEL else "same direction, not shown"
        return "opposite, and shown" if self.p_two_sided_holm < SIGNIFICANCE_LEVEL else "opposite direction"
