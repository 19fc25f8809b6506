"""From the runs of two rows to the test of an ordering that a paper claims."""

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
from lesionlens.reproduction.measurements import RunValue, base_columns, column_weights, predictions_path
from lesionlens.reproduction.planner import TableResults
from lesionlens.reproduction.spec import ColumnSpec, OrderingClaim
from lesionlens.runs.run_statistics import MIN_RUNS

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
        return (
            None
            if math.isnan(self.published_difference)
            else self._toward_claim(self.published_difference) > 0
        )

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


DEFAULT_RESAMPLES = 2000


class WeightedTerm(NamedTuple):
    """A metric that the column adds up by its weight, and the two rows' scores of the same images in one order."""

    weight: float
    better: Predictions
    worse: Predictions
    key: MetricKey


def bootstrap_weighted_sum(
    terms: Sequence[WeightedTerm], *, n_resamples: int = DEFAULT_RESAMPLES, seed: int = 0
) -> SignificanceResult:
    """Compare two rows as `bootstrap_difference` does, in a weighted sum of metrics of several runs.

    Only images that all runs scored count. Lesions are drawn for all runs at once, as many as there are of each
    combination of labels. p is two-sided, as there.

    Raises
    ------
    ComparisonError
        A metric that does not exist, or runs of different test images.
    """
    shared = set.intersection(*(set(each.better.image_id.tolist()) for each in terms))
    if not shared:
        raise ComparisonError("the runs that the column puts together have no test image in common")
    terms = [_restrict_to(each, sorted(shared)) for each in terms]
    for each in terms:
        check_metric_keys([each.key], each.better.classes)
    labels = np.array(["/".join(found) for found in zip(*(each.better.label for each in terms), strict=True)])
    lesions = terms[0].better.lesion_id
    weights = cluster_bootstrap_weights(lesions, n_resamples=n_resamples, seed=seed, strata=labels)
    drawn = np.concatenate([_weighted_difference(terms, each) for each in weights])
    return bootstrap_result(float(_weighted_difference(terms, None)), drawn, len(np.unique(lesions)))


def _restrict_to(term: WeightedTerm, images: Sequence[str]) -> WeightedTerm:
    place = {str(name): row for row, name in enumerate(term.better.image_id)}
    rows = np.array([place[name] for name in images])
    return term._replace(better=term.better.select(rows), worse=term.worse.select(rows))


def _weighted_difference(
    terms: Sequence[WeightedTerm], weights: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    return np.asarray(
        sum(
            each.weight
            * (
                metric_values(each.better, [each.key], weights=weights)
                - metric_values(each.worse, [each.key], weights=weights)
            )[0]
            for each in terms
        )
    )


MIN_RUNS_FOR_SIGN_FLIP = 5  # pairs: with fewer no p of the permutation test can fall below 0.05

ValuesByCell = Mapping[tuple[str, str], Sequence[RunValue]]
RunKey = tuple[int, int | None]


class RunPair(NamedTuple):
    """The numbers of two rows in runs of the same place."""

    key: RunKey
    better: float
    worse: float


def evaluate_claims(results: TableResults, values_by_cell: ValuesByCell) -> tuple[ClaimResult, ...]:
    """Test every claim of an experiment, each over all, with Holm's correction over all that could be tested.

    Claims of the same runs in the same column, as rows have that share their runs, are one test.

    Parameters
    ----------
    values_by_cell
        (row, column) -> the numbers of its runs.
    """
    found = [
        _evaluate_claim(results, claim, than, values_by_cell)
        for claim in results.spec.claims
        for than in claim.worse
    ]
    tests = {_claim_key(results, each): each for each in found}
    one, two = (holm([getattr(each, p) for each in tests.values()]) for p in ("p", "p_two_sided"))
    corrected = dict(zip(tests, zip(one, two, strict=True), strict=True))
    adjusted = [(each, corrected[_claim_key(results, each)]) for each in found]
    return tuple(
        replace(each, p_holm=float(one), p_two_sided_holm=float(two)) for each, (one, two) in adjusted
    )


def _claim_key(results: TableResults, result: ClaimResult) -> tuple[object, ...]:
    """Give what a test is of: the runs of both rows, and the column."""
    return tuple(
        _run_sources(results, row, result.column) for row in (result.better, result.worse)
    ), result.column


def _evaluate_claim(
    results: TableResults, claim: OrderingClaim, worse: str, values_by_cell: ValuesByCell
) -> ClaimResult:
    experiment, column = results.spec, claim.column
    said = [experiment.row(name).published.get(column) for name in (claim.better, worse)]
    lower = experiment.column(column).better == "lower"
    published = said[0].value - said[1].value if said[0] and said[1] else math.nan
    asked = ClaimResult(claim.better, worse, column, claim.quote, lower, published)
    if _same_runs(results, claim.better, worse, column):
        return replace(asked, identical_runs=True)
    pairs = _pair_runs(values_by_cell[claim.better, column], values_by_cell[worse, column])
    if not pairs:
        return asked
    difference = math.fsum(each.better - each.worse for each in pairs) / len(pairs)
    scale = 100 if experiment.unit == "percent" else 1
    asked = replace(asked, num_pairs=len(pairs), difference=scale * difference)
    try:
        return (
            _compare_over_runs(asked, pairs, scale)
            if len(pairs) >= MIN_RUNS
            else _compare_over_lesions(asked, results, pairs, scale)
        )
    except LesionLensError as error:
        return replace(asked, note=f"not tested: {error}")


def _same_runs(results: TableResults, row_a: str, row_b: str, column: str) -> bool:
    """Say whether two rows are one and the same run in a column, of which the same map is meant."""
    found = _run_sources(results, row_a, column)
    return any(there for there, _ in found) and found == _run_sources(results, row_b, column)


def _run_sources(results: TableResults, row: str, column: str) -> tuple[tuple[frozenset[Path], str], ...]:
    """Give the folders and the map from which a row's number in a column comes, for each column in it."""
    experiment = results.spec
    return tuple(
        (
            frozenset(
                cell.run_dir.path for cell in results.cells if (cell.row, cell.variant) == (row, leaf.variant)
            ),
            results.local_map_name(experiment.row(row).maps.get(leaf.name, leaf.map)),
        )
        for leaf in base_columns(experiment, experiment.column(column))
    )


def _pair_runs(better: Sequence[RunValue], worse: Sequence[RunValue]) -> list[RunPair]:
    partner = {(each.run, each.fold): each.value for each in worse}
    found = [
        RunPair((each.run, each.fold), each.value, partner.get((each.run, each.fold), math.nan))
        for each in better
    ]
    return [each for each in found if math.isfinite(each.better) and math.isfinite(each.worse)]


def _compare_over_runs(result: ClaimResult, pairs: Sequence[RunPair], scale: float) -> ClaimResult:
    better, than = [each.better for each in pairs], [each.worse for each in pairs]
    claimed: Alternative = "less" if result.lower_is_better else "greater"
    one, two = paired_t(better, than, claimed), paired_t(better, than)
    flipped = math.nan
    if len(pairs) >= MIN_RUNS_FOR_SIGN_FLIP:
        flipped = sign_flip_permutation_test([each.better - each.worse for each in pairs], claimed).p
    folds = len({each.key[1] for each in pairs}) > 1
    return replace(
        result, low=scale * two.low, high=scale * two.high, p=one.p, p_two_sided=two.p, p_sign_flip=flipped,
        test=f"{one.test} over {len(pairs)} {'folds' if folds else 'runs'}",
        note="folds share training images: p is somewhat too small" if folds else "",
    )  # fmt: skip


def _compare_over_lesions(
    result: ClaimResult, results: TableResults, pairs: Sequence[RunPair], scale: float
) -> ClaimResult:
    """Test the one run, or each of two: the larger p counts, and their intervals are averaged bound by bound."""
    terms = column_weights(results.spec, results.spec.column(result.column))
    if any(leaf.metric in LocalizationMetrics._fields for _, leaf in terms):
        return replace(result, note=f"not tested: fewer than {MIN_RUNS} runs, and the column is of maps")
    found = [_bootstrap_pair(results, (result.better, result.worse), terms, each.key) for each in pairs]
    low, high = (
        scale * math.fsum(getattr(each, name) for each in found) / len(found) for name in ("low", "high")
    )
    return replace(
        result, low=low, high=high, p=max(_one_sided_p(each, lower=result.lower_is_better) for each in found),
        p_two_sided=max(each.p for each in found),
        test=f"{found[0].test} over lesions of {'one run' if len(found) == 1 else 'each of two runs'}",
        note="what other seeds would give is not in it",
    )  # fmt: skip


def _one_sided_p(comparison: SignificanceResult, *, lower: bool) -> float:
    """Halve a two-sided p towards the claimed side."""
    as_claimed = comparison.difference < 0 if lower else comparison.difference > 0
    return comparison.p / 2 if as_claimed else 1 - comparison.p / 2


def _bootstrap_pair(
    results: TableResults,
    rows: tuple[str, str],
    weighted_columns: Sequence[tuple[float, ColumnSpec]],
    key: RunKey,
) -> SignificanceResult:
    """Draw lesions for one pair of runs, or of several runs each where the column is put together from others."""
    terms = [
        WeightedTerm(weight, *_aligned_predictions(results, rows, leaf, key), (leaf.metric, leaf.class_name))
        for weight, leaf in weighted_columns
    ]
    if len(terms) > 1:
        return bootstrap_weighted_sum(terms)
    (only,) = terms
    return bootstrap_difference(only.better, only.worse, *only.key)


def _aligned_predictions(
    results: TableResults, rows: tuple[str, str], column_spec: ColumnSpec, key: RunKey
) -> tuple[Predictions, Predictions]:
    cells = [
        next(cell for cell in results.cells_for(row, column_spec.variant) if (cell.run, cell.fold) == key)
        for row in rows
    ]
    models = [read_predictions(predictions_path(results, cell, column_spec)) for cell in cells]
    better, than = align(models, rows, intersect=True).predictions
    return better, than
