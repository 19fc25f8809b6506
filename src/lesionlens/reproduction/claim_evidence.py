"""Evidence on a contrast of cells: its values over runs, or over lesions resampled for one or two runs."""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from lesionlens.core.types import FloatArray
from lesionlens.evaluation.comparison.bootstrap import bootstrap_result
from lesionlens.evaluation.comparison.result import Alternative, SignificanceResult
from lesionlens.evaluation.comparison.tests import paired_t
from lesionlens.reproduction.claim_hypotheses import Hypothesis

SIGN_CONFIDENCE, EQUIVALENCE_CONFIDENCE = (
    0.95,
    0.9,
)  # two one-sided tests at 0.05 correspond to 90 % (Schuirmann 1987)


class Evidence(Protocol):
    """What a test needs: p-values of any threshold, and intervals."""

    @property
    def test(self) -> str:
        """Name of the test."""

    @property
    def note(self) -> str:
        """Remark on the test, or why it is not possible."""

    def p_value(self, threshold: float, alternative: Alternative) -> float:
        """Return the p-value of the contrast being equal to a threshold, against an alternative; NaN if undefined."""

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the two-sided interval of the contrast; NaN if undefined."""


class ClaimTest(NamedTuple):
    """Outcome of a test: p-values of the claim and of its contrary, and the interval."""

    p: float
    p_two_sided: float
    low: float
    high: float
    confidence: float


def evaluate_hypothesis(hypothesis: Hypothesis, evidence: Evidence) -> ClaimTest:
    """Test one contrast of a hypothesis.

    A sign is tested one-sided against zero. An equivalence is tested by two one-sided tests, whose larger p-value
    counts (Schuirmann 1987); its contrary is that the contrast is beyond the margin, at either end.
    """
    if hypothesis.sign:
        alternative: Alternative = "greater" if hypothesis.sign > 0 else "less"
        return ClaimTest(
            evidence.p_value(0, alternative), evidence.p_value(0, "two-sided"),
            *evidence.interval(SIGN_CONFIDENCE), SIGN_CONFIDENCE,
        )  # fmt: skip
    low, high = hypothesis.center - hypothesis.margin, hypothesis.center + hypothesis.margin
    inside = max(evidence.p_value(low, "greater"), evidence.p_value(high, "less"))
    outside = 2 * min(evidence.p_value(low, "less"), evidence.p_value(high, "greater"))
    return ClaimTest(
        inside, min(1.0, outside), *evidence.interval(EQUIVALENCE_CONFIDENCE), EQUIVALENCE_CONFIDENCE
    )


@dataclass(frozen=True)
class RunEvidence:
    """Values of a contrast in three or more runs or folds, tested by Student's t.

    Attributes
    ----------
    values
        Value of each run.
    folds
        Whether the values are of folds, which share training images.
    paired
        Whether each value is a difference of runs.
    """

    values: tuple[float, ...]
    folds: bool
    paired: bool = True

    @property
    def test(self) -> str:
        """Name of the test."""
        units = f"{len(self.values)} {'folds' if self.folds else 'runs'}"
        return f"paired t over {units}" if self.paired else f"t over {units}"

    @property
    def note(self) -> str:
        """Remark on the test, or why it is not possible."""
        if reason := self._test(0).reason:
            return f"not tested: {reason}"
        return "folds share training images: p is somewhat too small" if self.folds else ""

    def p_value(self, threshold: float, alternative: Alternative) -> float:
        """Return the p-value of the mean being equal to a threshold, against an alternative."""
        return self._test(threshold, alternative).p

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return Student's interval of the mean."""
        result = self._test(0, confidence=confidence)
        return result.low, result.high

    def _test(
        self, threshold: float, alternative: Alternative = "two-sided", confidence: float = SIGN_CONFIDENCE
    ) -> SignificanceResult:
        return paired_t(self.values, [threshold] * len(self.values), alternative, confidence=confidence)


class LesionSample(NamedTuple):
    """Value of a contrast in one run, and its values in bootstrap samples of the lesions.

    Attributes
    ----------
    value
        Value on all lesions.
    resampled
        Value in each resample, (r,).
    num_lesions, num_decisive
        Number of lesions, and of those on which the value rests.
    undefined_reason, unvaried_reason
        Why the value is undefined, and why it cannot vary as it would over other lesions; "" if neither.
    """

    value: float
    resampled: FloatArray
    num_lesions: int
    num_decisive: int
    undefined_reason: str = ""
    unvaried_reason: str = ""

    def compare(self, threshold: float, confidence: float = SIGN_CONFIDENCE) -> SignificanceResult:
        """Return interval and two-sided p-value of the value minus a threshold."""
        return bootstrap_result(
            self.value - threshold, self.resampled - threshold, self.num_lesions, confidence=confidence,
            n_decisive=self.num_decisive, unvaried_reason=self.unvaried_reason,
            undefined_reason=self.undefined_reason or "undefined on these images",
        )  # fmt: skip


@dataclass(frozen=True)
class LesionEvidence:
    """Bootstrap over lesions of one run or of each of two; of two, the larger p counts and the bounds are averaged."""

    samples: tuple[LesionSample, ...]

    @property
    def test(self) -> str:
        """Name of the test; "" if it is not possible."""
        if self._reason:
            return ""
        runs = "one run" if len(self.samples) == 1 else "each of two runs"
        return f"{self.samples[0].compare(0).test} over lesions of {runs}"

    @property
    def note(self) -> str:
        """Remark on the test, or why it is not possible."""
        if self._reason:
            return f"not tested: no p on the images that the compared runs have in common: {self._reason}"
        return "the variation between seeds is not included"

    @property
    def _reason(self) -> str:
        return next(filter(None, (sample.compare(0).reason for sample in self.samples)), "")

    def p_value(self, threshold: float, alternative: Alternative) -> float:
        """Return the larger p-value of the runs."""
        if self._reason:
            return math.nan
        return max(_bootstrap_p(sample.compare(threshold), alternative) for sample in self.samples)

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the mean bounds of the runs."""
        if self._reason:
            return math.nan, math.nan
        results = [sample.compare(0, confidence) for sample in self.samples]
        low, high = (
            math.fsum(getattr(result, bound) for result in results) / len(results)
            for bound in ("low", "high")
        )
        return low, high


def _bootstrap_p(result: SignificanceResult, alternative: Alternative) -> float:
    """Return the p-value of an alternative for a two-sided bootstrap test."""
    if alternative == "two-sided":
        return result.p
    as_claimed = result.difference > 0 if alternative == "greater" else result.difference < 0
    return result.p / 2 if as_claimed else 1 - result.p / 2
