"""Tests of the orderings that a paper claims, from the runs of two rows.

With three pairs of runs or more, the test is a paired t-test over runs; with fewer, a bootstrap over the lesions of
the test images. Holm's correction is over all claims of a table.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import ComparisonError, LesionLensError
from lesionlens.evaluation.bootstrap import cluster_bootstrap_weights
from lesionlens.evaluation.comparison.alignment import align
from lesionlens.evaluation.comparison.bootstrap import bootstrap_difference, bootstrap_result
from lesionlens.evaluation.comparison.result import Alternative, SignificanceResult, holm
from lesionlens.evaluation.comparison.tests import paired_t, sign_flip_permutation_test
from lesionlens.evaluation.compute import metric_values
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.evaluation.registry import MetricKey, check_metric_keys
from lesionlens.explanation.localization_metrics import LocalizationMetrics
from lesionlens.reproduction.measurements import (
    RunKey,
    RunValue,
    base_columns,
    column_weights,
    predictions_path,
)
from lesionlens.reproduction.planner import TableResults
from lesionlens.reproduction.spec import ColumnSpec, OrderingClaim
from lesionlens.runs.run_statistics import MIN_RUNS

SIGNIFICANCE_LEVEL = 0.05
TIE_TOLERANCE = 1e-12  # rounding error of a mean whose terms cancel
MIN_RUNS_FOR_SIGN_FLIP = 5  # with fewer pairs the p-value of the permutation test cannot fall below 0.05
DEFAULT_RESAMPLES = 2000

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
    "holds": "better as claimed, p < 0.05 one-sided after Holm's correction over the claims of this page",
    "same direction, not shown": "better as claimed, but not significantly: by chance, or with too few runs to tell",
    "opposite direction": "worse, but not significantly: by chance, or with too few runs to tell",
    "opposite, and shown": "worse, p < 0.05 two-sided after Holm's correction over the claims of this page",
    "no difference": "both rows have the same value",
    "the same run here": "both rows have the same run under this profile, so there is nothing to compare",
    "not run": "no run of one row has a counterpart of the other row with a value",
    "not judged": "synthetic images, a small network, a changed protocol, or a part of the runs: these neither support "
    "nor contradict a claim",
}

ValuesByCell = Mapping[tuple[str, str], Sequence[RunValue]]


@dataclass(frozen=True)
class ClaimResult:
    """Test of one claim for one pair of rows, in the table's unit.

    Attributes
    ----------
    better, worse, column, quote
        Rows, column and quotation of the claim, as in the table's specification.
    lower_is_better
        Whether lower values of the column are better.
    published_difference
        Published value of ``better`` minus that of ``worse``; NaN if one is missing.
    difference, low, high
        Mean measured difference over pairs of equal run and fold, and its 95 % interval; NaN if undefined.
    num_pairs
        Number of pairs of runs.
    test
        Name of the test behind interval and p-values; "" if there is none.
    p, p_two_sided
        One-sided p-value of the claimed direction, and two-sided p-value; NaN if there is no test.
    p_holm, p_two_sided_holm
        Both p-values after Holm's correction over the claims of the page.
    p_sign_flip
        One-sided p-value of the permutation test, from five pairs on.
    identical_runs
        Whether both rows have the same runs.
    note
        Reason why there is no test, or a remark on it.
    is_judged
        Whether all runs are finished and comparable with the paper's, so that there is a verdict.
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
    is_judged: bool = True

    @property
    def published_supports_claim(self) -> bool | None:
        """Whether the published values are in the claimed order; None if one is missing."""
        if math.isnan(self.published_difference):
            return None
        return self._toward_claim(self.published_difference) > 0

    @property
    def verdict(self) -> ClaimVerdict:
        """Whether the claim holds on these runs: a key of ``VERDICT_LABELS``."""
        if self.identical_runs:
            return "the same run here"
        if math.isnan(self.difference):
            return "not run"
        if not self.is_judged:
            return "not judged"
        if abs(self.difference) < TIE_TOLERANCE:
            return "no difference"
        if self._toward_claim(self.difference) > 0:
            return "holds" if self.p_holm < SIGNIFICANCE_LEVEL else "same direction, not shown"
        return "opposite, and shown" if self.p_two_sided_holm < SIGNIFICANCE_LEVEL else "opposite direction"

    def _toward_claim(self, difference: float) -> float:
        return -difference if self.lower_is_better else difference


class RunPair(NamedTuple):
    """Values of two rows in their runs of the same repeat and fold."""

    key: RunKey
    better: float
    worse: float


class WeightedTerm(NamedTuple):
    """A metric with its weight in a column, and the predictions of two rows for the same images in the same order."""

    weight: float
    better: Predictions
    worse: Predictions
    key: MetricKey


def evaluate_claims(results: TableResults, values_by_cell: ValuesByCell) -> tuple[ClaimResult, ...]:
    """Test every claim of a table, with Holm's correction over all that can be tested.

    Claims about the same runs in the same column, as of rows with identical recipes, count as one test.

    Parameters
    ----------
    values_by_cell
        Values of the runs by (row, column).
    """
    claims = [
        _evaluate_claim(results, claim, worse, values_by_cell)
        for claim in results.spec.claims
        for worse in claim.worse
    ]
    tests = {_claim_key(results, claim): claim for claim in claims}
    one_sided, two_sided = (
        holm([getattr(claim, p) for claim in tests.values()]) for p in ("p", "p_two_sided")
    )
    corrected = dict(zip(tests, zip(one_sided, two_sided, strict=True), strict=True))
    return tuple(_with_corrected_p(claim, *corrected[_claim_key(results, claim)]) for claim in claims)


def _with_corrected_p(claim: ClaimResult, one_sided: float, two_sided: float) -> ClaimResult:
    return replace(claim, p_holm=float(one_sided), p_two_sided_holm=float(two_sided))


def _claim_key(results: TableResults, claim: ClaimResult) -> tuple[object, ...]:
    """Return what identifies a test: the runs of both rows, and the column."""
    rows = (claim.better, claim.worse)
    return tuple(_run_sources(results, row, claim.column) for row in rows), claim.column


def _evaluate_claim(
    results: TableResults, claim: OrderingClaim, worse: str, values_by_cell: ValuesByCell
) -> ClaimResult:
    spec, column = results.spec, claim.column
    better_published, worse_published = (spec.row(row).published.get(column) for row in (claim.better, worse))
    published_difference = (
        better_published.value - worse_published.value if better_published and worse_published else math.nan
    )
    lower_is_better = spec.column(column).better == "lower"
    untested = ClaimResult(claim.better, worse, column, claim.quote, lower_is_better, published_difference)
    if _same_runs(results, claim.better, worse, column):
        return replace(untested, identical_runs=True)
    pairs = _pair_runs(values_by_cell[claim.better, column], values_by_cell[worse, column])
    if not pairs:
        return untested
    difference = math.fsum(pair.better - pair.worse for pair in pairs) / len(pairs)
    scale = 100 if spec.unit == "percent" else 1
    untested = replace(untested, num_pairs=len(pairs), difference=scale * difference)
    try:
        if len(pairs) >= MIN_RUNS:
            return _compare_over_runs(untested, pairs, scale)
        return _compare_over_lesions(untested, results, pairs, scale)
    except LesionLensError as error:
        return replace(untested, note=f"not tested: {error}")


def _same_runs(results: TableResults, row_a: str, row_b: str, column: str) -> bool:
    """Return whether the values of two rows in a column come from the same runs and maps."""
    sources = _run_sources(results, row_a, column)
    return any(run_dirs for run_dirs, _ in sources) and sources == _run_sources(results, row_b, column)


def _run_sources(results: TableResults, row: str, column: str) -> tuple[tuple[frozenset[Path], str], ...]:
    """Return the run folders and the map behind a row's value, for each base column of a column."""
    spec = results.spec
    return tuple(
        (
            frozenset(
                cell.run_dir.path for cell in results.cells if (cell.row, cell.variant) == (row, leaf.variant)
            ),
            results.local_map_name(spec.measured_column(row, leaf.name).map),
        )
        for leaf in base_columns(spec, spec.column(column))
    )


def _pair_runs(better: Sequence[RunValue], worse: Sequence[RunValue]) -> list[RunPair]:
    """Pair runs of equal repeat and fold, if both have a value."""
    worse_values = {(run.run, run.fold): run.value for run in worse}
    pairs = [
        RunPair((run.run, run.fold), run.value, worse_values.get((run.run, run.fold), math.nan))
        for run in better
    ]
    return [pair for pair in pairs if math.isfinite(pair.better) and math.isfinite(pair.worse)]


def _compare_over_runs(claim: ClaimResult, pairs: Sequence[RunPair], scale: float) -> ClaimResult:
    """Test a claim by the paired t-test over runs, and from five pairs on also by sign flips."""
    better, worse = [pair.better for pair in pairs], [pair.worse for pair in pairs]
    alternative: Alternative = "less" if claim.lower_is_better else "greater"
    one_sided, two_sided = paired_t(better, worse, alternative), paired_t(better, worse)
    p_sign_flip = math.nan
    if len(pairs) >= MIN_RUNS_FOR_SIGN_FLIP:
        p_sign_flip = sign_flip_permutation_test([pair.better - pair.worse for pair in pairs], alternative).p
    folds = len({pair.key[1] for pair in pairs}) > 1
    return replace(
        claim, low=scale * two_sided.low, high=scale * two_sided.high, p=one_sided.p, p_two_sided=two_sided.p,
        p_sign_flip=p_sign_flip, test=f"{one_sided.test} over {len(pairs)} {'folds' if folds else 'runs'}",
        note=_note_over_runs(two_sided, folds=folds),
    )  # fmt: skip


def _note_over_runs(test: SignificanceResult, *, folds: bool) -> str:
    if test.reason:
        return f"not tested: {test.reason}"
    return "folds share training images: p is somewhat too small" if folds else ""


def _compare_over_lesions(
    claim: ClaimResult, results: TableResults, pairs: Sequence[RunPair], scale: float
) -> ClaimResult:
    """Test one or two pairs of runs by bootstrap; of two, the larger p counts and the bounds are averaged."""
    terms = column_weights(results.spec, results.spec.column(claim.column))
    if any(leaf.metric in LocalizationMetrics._fields for _, leaf in terms):
        return replace(
            claim, note=f"not tested: fewer than {MIN_RUNS} runs, and the column measures attention maps"
        )
    tests = [_bootstrap_pair(results, (claim.better, claim.worse), terms, pair.key) for pair in pairs]
    low, high = (
        scale * math.fsum(getattr(test, bound) for test in tests) / len(tests) for bound in ("low", "high")
    )
    return replace(
        claim, low=low, high=high, p=max(_one_sided_p(test, lower=claim.lower_is_better) for test in tests),
        p_two_sided=max(test.p for test in tests),
        test=f"{tests[0].test} over lesions of {'one run' if len(tests) == 1 else 'each of two runs'}",
        note="the variation between seeds is not included",
    )  # fmt: skip


def _one_sided_p(comparison: SignificanceResult, *, lower: bool) -> float:
    """Return the one-sided p-value of the claimed direction for a two-sided test."""
    as_claimed = comparison.difference < 0 if lower else comparison.difference > 0
    return comparison.p / 2 if as_claimed else 1 - comparison.p / 2


def _bootstrap_pair(
    results: TableResults,
    rows: tuple[str, str],
    weighted_columns: Sequence[tuple[float, ColumnSpec]],
    key: RunKey,
) -> SignificanceResult:
    """Compare a pair of runs by bootstrap over lesions; of a combined column, one pair per base column.

    Raises
    ------
    ComparisonError
        The runs have no image in common, or the column is undefined on those that they have.
    """
    terms = [
        WeightedTerm(weight, *_aligned_predictions(results, rows, leaf, key), (leaf.metric, leaf.scope))
        for weight, leaf in weighted_columns
    ]
    first = terms[0]
    compared = (
        bootstrap_difference(first.better, first.worse, *first.key)
        if len(terms) == 1
        else bootstrap_weighted_sum(terms)
    )
    if math.isnan(compared.p):
        raise ComparisonError(f"no p on the images that the compared runs have in common: {compared.reason}")
    return compared


def _aligned_predictions(
    results: TableResults, rows: tuple[str, str], column_spec: ColumnSpec, key: RunKey
) -> tuple[Predictions, Predictions]:
    """Read the predictions of both rows' runs, restricted to the images that both scored."""
    cells = [
        next(cell for cell in results.cells_for(row, column_spec.variant) if (cell.run, cell.fold) == key)
        for row in rows
    ]
    models = [read_predictions(predictions_path(results, cell, column_spec)) for cell in cells]
    better, worse = align(models, rows, intersect=True).predictions
    return better, worse


def bootstrap_weighted_sum(
    terms: Sequence[WeightedTerm], *, n_resamples: int = DEFAULT_RESAMPLES, seed: int = 0
) -> SignificanceResult:
    """Compare two rows by a weighted sum of metrics of several runs, as `bootstrap_difference` does for one metric.

    Only images that all runs scored count. Lesions are resampled once for all runs, stratified by the combination of
    labels. The p-value is two-sided.

    Raises
    ------
    ComparisonError
        A metric does not exist, or the runs have no test image in common.
    """
    shared = set.intersection(*(set(term.better.image_id.tolist()) for term in terms))
    if not shared:
        raise ComparisonError("the runs that the column combines have no test image in common")
    terms = [_restrict_to(term, sorted(shared)) for term in terms]
    for term in terms:
        check_metric_keys([term.key], term.better.classes)
    targets = np.column_stack([term.better.targets() for term in terms])
    strata = np.unique(targets, axis=0, return_inverse=True)[1].ravel()
    lesions = terms[0].better.lesion_id
    weights = cluster_bootstrap_weights(lesions, n_resamples=n_resamples, seed=seed, strata=strata)
    resampled = np.concatenate([_weighted_difference(terms, chunk) for chunk in weights])
    return bootstrap_result(float(_weighted_difference(terms, None)), resampled, len(np.unique(lesions)))


def _restrict_to(term: WeightedTerm, images: Sequence[str]) -> WeightedTerm:
    index = {str(image): row for row, image in enumerate(term.better.image_id)}
    rows = np.array([index[image] for image in images])
    return term._replace(better=term.better.select(rows), worse=term.worse.select(rows))


def _weighted_difference(
    terms: Sequence[WeightedTerm], weights: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    return np.asarray(
        sum(
            term.weight
            * (
                metric_values(term.better, [term.key], weights=weights)
                - metric_values(term.worse, [term.key], weights=weights)
            )[0]
            for term in terms
        )
    )
