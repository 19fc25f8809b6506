"""From the runs of two rows to the test of an ordering that a paper claims."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lesionlens.errors import LesionLensError
from lesionlens.evaluation.compare import (
    Alternative,
    Comparison,
    aligned,
    bootstrap_difference,
    holm,
    paired_t,
    sign_flip,
)
from lesionlens.evaluation.predictions import Predictions, read_predictions
from lesionlens.experiments.drawn_lesions import Term, drawn_difference
from lesionlens.experiments.experiment import Claim
from lesionlens.experiments.measured import Value, leaves, predictions_of, shares
from lesionlens.experiments.metric import Metric
from lesionlens.experiments.ordering import Ordering
from lesionlens.experiments.results import Results
from lesionlens.explanation.quality import MapQuality
from lesionlens.training.over_runs import FEWEST

FEWEST_FLIPS = 5  # pairs: with fewer no p of the permutation test can fall below 0.05

Measured = Mapping[tuple[str, str], Sequence[Value]]
Key = tuple[int, int | None]


class Pair(NamedTuple):
    """The numbers of two rows in runs of the same place."""

    key: Key
    better: float
    than: float


def orderings(results: Results, measured: Measured) -> tuple[Ordering, ...]:
    """Test every claim of an experiment, each over all, with Holm's correction over all that could be tested.

    Claims of the same runs in the same column, as rows have that share their runs, are one test.

    Parameters
    ----------
    measured
        (row, column) -> the numbers of its runs.
    """
    found = [
        _ordering(results, claim, than, measured)
        for claim in results.experiment.claims
        for than in claim.than
    ]
    tests = {_test(results, each): each for each in found}
    one, two = (holm([getattr(each, p) for each in tests.values()]) for p in ("p", "p_two_sided"))
    corrected = dict(zip(tests, zip(one, two, strict=True), strict=True))
    adjusted = [(each, corrected[_test(results, each)]) for each in found]
    return tuple(
        replace(each, p_holm=float(one), p_two_sided_holm=float(two)) for each, (one, two) in adjusted
    )


def _test(results: Results, asked: Ordering) -> tuple[object, ...]:
    """Give what a test is of: the runs of both rows, and the column."""
    return tuple(_runs(results, row, asked.column) for row in (asked.better, asked.than)), asked.column


def _ordering(results: Results, claim: Claim, than: str, measured: Measured) -> Ordering:
    experiment, column = results.experiment, claim.metric
    said = [experiment.row(name).published.get(column) for name in (claim.better, than)]
    lower = experiment.metric(column).better == "lower"
    published = said[0].value - said[1].value if said[0] and said[1] else math.nan
    asked = Ordering(claim.better, than, column, claim.said, lower, published)
    if _same(results, claim.better, than, column):
        return replace(asked, same_run=True)
    pairs = _pairs(measured[claim.better, column], measured[than, column])
    if not pairs:
        return asked
    difference = math.fsum(each.better - each.than for each in pairs) / len(pairs)
    scale = 100 if experiment.unit == "percent" else 1
    asked = replace(asked, n=len(pairs), difference=scale * difference)
    try:
        return (
            _over_runs(asked, pairs, scale)
            if len(pairs) >= FEWEST
            else _over_lesions(asked, results, pairs, scale)
        )
    except LesionLensError as error:
        return replace(asked, note=f"not tested: {error}")


def _same(results: Results, one: str, other: str, column: str) -> bool:
    """Say whether two rows are one and the same run in a column, of which the same map is meant."""
    found = _runs(results, one, column)
    return any(there for there, _ in found) and found == _runs(results, other, column)


def _runs(results: Results, row: str, column: str) -> tuple[tuple[frozenset[Path], str], ...]:
    """Give the folders and the map from which a row's number in a column comes, for each column in it."""
    experiment = results.experiment
    return tuple(
        (
            frozenset(
                cell.folder.path for cell in results.cells if (cell.row, cell.part) == (row, leaf.part)
            ),
            results.here(experiment.row(row).maps.get(leaf.name, leaf.map)),
        )
        for leaf in leaves(experiment, experiment.metric(column))
    )


def _pairs(better: Sequence[Value], than: Sequence[Value]) -> list[Pair]:
    partner = {(each.run, each.fold): each.value for each in than}
    found = [
        Pair((each.run, each.fold), each.value, partner.get((each.run, each.fold), math.nan))
        for each in better
    ]
    return [each for each in found if math.isfinite(each.better) and math.isfinite(each.than)]


def _over_runs(asked: Ordering, pairs: Sequence[Pair], scale: float) -> Ordering:
    better, than = [each.better for each in pairs], [each.than for each in pairs]
    claimed: Alternative = "less" if asked.lower else "greater"
    one, two = paired_t(better, than, claimed), paired_t(better, than)
    flipped = math.nan
    if len(pairs) >= FEWEST_FLIPS:
        flipped = sign_flip([each.better - each.than for each in pairs], claimed).p
    folds = len({each.key[1] for each in pairs}) > 1
    return replace(
        asked, low=scale * two.low, high=scale * two.high, p=one.p, p_two_sided=two.p, p_sign_flip=flipped,
        test=f"{one.test} over {len(pairs)} {'folds' if folds else 'runs'}",
        note="folds share training images: p is somewhat too small" if folds else "",
    )  # fmt: skip


def _over_lesions(asked: Ordering, results: Results, pairs: Sequence[Pair], scale: float) -> Ordering:
    """Test the one run, or each of two: the larger p counts, and their intervals are averaged bound by bound."""
    terms = shares(results.experiment, results.experiment.metric(asked.column))
    if any(leaf.metric in MapQuality._fields for _, leaf in terms):
        return replace(asked, note=f"not tested: fewer than {FEWEST} runs, and the column is of maps")
    found = [_bootstrap(results, (asked.better, asked.than), terms, each.key) for each in pairs]
    low, high = (
        scale * math.fsum(getattr(each, name) for each in found) / len(found) for name in ("low", "high")
    )
    return replace(
        asked, low=low, high=high, p=max(_one_sided(each, lower=asked.lower) for each in found),
        p_two_sided=max(each.p for each in found),
        test=f"{found[0].test} over lesions of {'one run' if len(found) == 1 else 'each of two runs'}",
        note="what other seeds would give is not in it",
    )  # fmt: skip


def _one_sided(found: Comparison, *, lower: bool) -> float:
    """Halve a two-sided p towards the claimed side."""
    as_claimed = found.difference < 0 if lower else found.difference > 0
    return found.p / 2 if as_claimed else 1 - found.p / 2


def _bootstrap(
    results: Results, rows: tuple[str, str], shared: Sequence[tuple[float, Metric]], key: Key
) -> Comparison:
    """Draw lesions for one pair of runs, or of several runs each where the column is put together from others."""
    terms = [
        Term(weight, *_scores(results, rows, leaf, key), (leaf.metric, leaf.of)) for weight, leaf in shared
    ]
    if len(terms) > 1:
        return drawn_difference(terms)
    (only,) = terms
    return bootstrap_difference(only.better, only.than, *only.key)


def _scores(
    results: Results, rows: tuple[str, str], metric: Metric, key: Key
) -> tuple[Predictions, Predictions]:
    cells = [
        next(cell for cell in results.of(row, metric.part) if (cell.run, cell.fold) == key) for row in rows
    ]
    models = [read_predictions(predictions_of(results, cell, metric)) for cell in cells]
    better, than = aligned(models, rows, common=True).predictions
    return better, than
