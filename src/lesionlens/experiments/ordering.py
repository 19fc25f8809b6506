"""An ordering that a paper claims, on the measured runs: does it hold, and how sure is that."""

import math
from dataclasses import dataclass
from typing import Literal

ALPHA = 0.05
ROUNDING = 1e-12  # of a mean whose parts cancel

Word = Literal[
    "holds",
    "same direction, not shown",
    "opposite direction",
    "opposite, and shown",
    "no difference",
    "the same run here",
    "not run",
]
MEANING: dict[Word, str] = {
    "holds": "better as claimed, p < 0.05 one-sided after Holm over the claims of this page",
    "same direction, not shown": "better as claimed, but by no more than chance can give, or too few runs to tell",
    "opposite direction": "the other way round, by no more than chance can give, or too few runs to tell",
    "opposite, and shown": "the other way round, p < 0.05 two-sided after Holm over the claims of this page",
    "no difference": "both came to the same number",
    "the same run here": "both rows are one and the same run under this profile, so there is nothing to compare",
    "not run": "no run of the one has a partner of the other with a number",
}


@dataclass(frozen=True)
class Ordering:
    """One claim, of one row over one other, in the table's unit.

    Attributes
    ----------
    better, than, column, said
        As the experiment has it.
    lower
        Lower is better in this column.
    published
        Published number of the one less that of the other; NaN where one is missing.
    difference, low, high
        Measured, over pairs of equal run and fold, and its 95 % interval; NaN where there is none.
    n
        Pairs.
    test
        What gave interval and p; "" where nothing could.
    p, p_two_sided
        That it is as claimed by chance, and that it differs either way; NaN where there is no test.
    p_holm, p_two_sided_holm
        After Holm over the claims of the page.
    p_sign_flip
        Of the permutation test, one-sided, from five pairs on.
    same_run
        Both rows are the same folders.
    note
        Why there is no test, or what to know of it.
    """

    better: str
    than: str
    column: str
    said: str
    lower: bool
    published: float
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    n: int = 0
    test: str = ""
    p: float = math.nan
    p_two_sided: float = math.nan
    p_holm: float = math.nan
    p_two_sided_holm: float = math.nan
    p_sign_flip: float = math.nan
    same_run: bool = False
    note: str = ""

    @property
    def published_shows(self) -> bool | None:
        """Whether the published numbers are in the order claimed; None where one is missing."""
        return None if math.isnan(self.published) else self._turned(self.published) > 0

    @property
    def word(self) -> Word:
        """The verdict."""
        if self.same_run:
            return "the same run here"
        if math.isnan(self.difference):
            return "not run"
        if abs(self.difference) < ROUNDING:
            return "no difference"
        if self._turned(self.difference) > 0:
            return "holds" if self.p_holm < ALPHA else "same direction, not shown"
        return "opposite, and shown" if self.p_two_sided_holm < ALPHA else "opposite direction"

    def _turned(self, difference: float) -> float:
        return -difference if self.lower else difference
