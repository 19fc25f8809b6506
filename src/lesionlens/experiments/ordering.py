"""An ordering that a paper claims, on the measured runs: does it hold, and how sure is that."""

import math
from dataclasses import dataclass
from typing import Literal

SIGNIFICANCE_LEVEL = 0.05
TIE_TOLERANCE = 1e-12  # of a mean whose parts cancel

ClaimVerdict = Literal[
    "holds",
    "same direction, not shown",
    "opposite direction",
    "opposite, and shown",
    "no difference",
    "the same run here",
    "not run",
]
VERDICT_LABELS: dict[ClaimVerdict, str] = {
    "holds": "better as claimed, p < 0.05 one-sided after Holm over the claims of this page",
    "same direction, not shown": "better as claimed, but by no more than chance can give, or too few runs to tell",
    "opposite direction": "the other way round, by no more than chance can give, or too few runs to tell",
    "opposite, and shown": "the other way round, p < 0.05 two-sided after Holm over the claims of this page",
    "no difference": "both came to the same number",
    "the same run here": "both rows are one and the same run under this profile, so there is nothing to compare",
    "not run": "no run of the one has a partner of the other with a number",
}


@dataclass(frozen=True)
class ClaimResult:
    """One claim, of one row over one other, in the table's unit.

    Attributes
    ----------
    better, worse, column, quote
        As the experiment has it.
    lower_is_better
        Lower is better in this column.
    published_difference
        Published number of the one less that of the other; NaN where one is missing.
    difference, low, high
        Measured, over pairs of equal run and fold, and its 95 % interval; NaN where there is none.
    num_pairs
        Pairs.
    test
        What gave interval and p; "" where nothing could.
    p, p_two_sided
        That it is as claimed by chance, and that it differs either way; NaN where there is no test.
    p_holm, p_two_sided_holm
        After Holm over the claims of the page.
    p_sign_flip
        Of the permutation test, one-sided, from five pairs on.
    identical_runs
        Both rows are the same folders.
    note
        Why there is no test, or what to know of it.
    """

    better: str
    worse: str
    column: str
    quote: str
    lower_is_better: bool
    published_difference: float
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    num_pairs: int = 0
    test: str = ""
    p: float = math.nan
    p_two_sided: float = math.nan
    p_holm: float = math.nan
    p_two_sided_holm: float = math.nan
    p_sign_flip: float = math.nan
    identical_runs: bool = False
    note: str = ""

    @property
    def published_supports_claim(self) -> bool | None:
        """Whether the published numbers are in the order claimed; None where one is missing."""
        return None if math.isnan(self.published_difference) else self._toward_claim(self.published_difference) > 0

    @property
    def verdict(self) -> ClaimVerdict:
        """The verdict."""
        if self.identical_runs:
            return "the same run here"
        if math.isnan(self.difference):
            return "not run"
        if abs(self.difference) < TIE_TOLERANCE:
            return "no difference"
        if self._toward_claim(self.difference) > 0:
            return "holds" if self.p_holm < SIGNIFICANCE_LEVEL else "same direction, not shown"
        return "opposite, and shown" if self.p_two_sided_holm < SIGNIFICANCE_LEVEL else "opposite direction"

    def _toward_claim(self, difference: float) -> float:
        return -difference if self.lower_is_better else difference
