"""From the runs of two rows to the test of an ordering that a paper claims."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lesionlens.errors import LesionLensError
from lesionlens.evaluation.compare import (
    Alternative,
    SignificanceResult,
    align,
    bootstrap_difference,
    holm,
    paired_t,
    sign_flip_permutation_test,
)
from lesionlens.evaluation.predictions import Predictions, read_predictions
from lesionlens.experiments.drawn_lesions import WeightedTerm, bootstrap_weighted_sum
from lesionlens.experiments.experiment import OrderingClaim
from lesionlens.experiments.measured import RunValue, base_columns, predictions_path, column_weights
from lesionlens.experiments.metric import ColumnSpec
from lesionlens.experiments.ordering import ClaimResult
from lesionlens.experiments.results import TableResults
from lesionlens.explanation.quality import LocalizationMetrics
from lesionlens.training.over_runs import MIN_RUNS

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
    return tuple(_run_sources(results, row, result.column) for row in (result.better, result.worse)), result.column


def _evaluate_claim(results: TableResults, claim: OrderingClaim, worse: str, values_by_cell: ValuesByCell) -> ClaimResult:
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


def _compare_over_lesions(result: ClaimResult, results: TableResults, pairs: Sequence[RunPair], scale: float) -> ClaimResult:
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
    results: TableResults, rows: tuple[str, str], weighted_columns: Sequence[tuple[float, ColumnSpec]], key: RunKey
) -> SignificanceResult:
    """Draw lesions for one pair of runs, or of several runs each where the column is put together from others."""
    terms = [
        WeightedTerm(weight, *_aligned_predictions(results, rows, leaf, key), (leaf.metric, leaf.class_name)) for weight, leaf in weighted_columns
    ]
    if len(terms) > 1:
        return bootstrap_weighted_sum(terms)
    (only,) = terms
    return bootstrap_difference(only.better, only.worse, *only.key)


def _aligned_predictions(
    results: TableResults, rows: tuple[str, str], column_spec: ColumnSpec, key: RunKey
) -> tuple[Predictions, Predictions]:
    cells = [
        next(cell for cell in results.cells_for(row, column_spec.variant) if (cell.run, cell.fold) == key) for row in rows
    ]
    models = [read_predictions(predictions_path(results, cell, column_spec)) for cell in cells]
    better, than = align(models, rows, intersect=True).predictions
    return better, than
