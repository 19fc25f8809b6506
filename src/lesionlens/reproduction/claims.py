"""Tests of the claims of a table on its runs.

With three pairs of runs or more, the test is Student's t over runs; with fewer, a bootstrap over the lesions of the
test images. Holm's correction is over all claims of a table.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lesionlens.core.errors import ComparisonError, LesionLensError
from lesionlens.evaluation.comparison.result import Alternative, holm
from lesionlens.evaluation.comparison.tests import sign_flip_permutation_test
from lesionlens.evaluation.registry import METRICS
from lesionlens.reproduction.claim_evidence import (
    ClaimTest,
    Evidence,
    LesionEvidence,
    LesionSample,
    RunEvidence,
    evaluate_hypothesis,
)
from lesionlens.reproduction.claim_hypotheses import Contrast, Hypothesis, Term, expand_claim
from lesionlens.reproduction.claim_result import ClaimResult
from lesionlens.reproduction.correlations import sample_correlation
from lesionlens.reproduction.lesion_samples import sample_contrasts
from lesionlens.reproduction.measurements import RunKey, RunValue, base_columns
from lesionlens.reproduction.planner import TableResults
from lesionlens.runs.run_statistics import MIN_RUNS

MIN_RUNS_FOR_SIGN_FLIP = 5  # with fewer pairs the p-value of the permutation test cannot fall below 0.05

ValuesByCell = Mapping[tuple[str, str], Sequence[RunValue]]


class ContrastRuns(NamedTuple):
    """A contrast and its value in each run that has all of its cells, in the table's unit."""

    contrast: Contrast
    values: dict[RunKey, float]

    @property
    def mean(self) -> float:
        """Mean over runs; NaN without runs."""
        return math.fsum(self.values.values()) / len(self.values) if self.values else math.nan


class TestedContrast(NamedTuple):
    """A contrast with its evidence and test."""

    runs: ContrastRuns
    evidence: Evidence
    outcome: ClaimTest


def evaluate_claims(results: TableResults, values_by_cell: ValuesByCell) -> tuple[ClaimResult, ...]:
    """Test every claim of a table, with Holm's correction over all that can be tested.

    Claims about the same runs in the same column, as of rows with identical recipes, count as one test.

    Parameters
    ----------
    values_by_cell
        Values of the runs by (row, column).
    """
    hypotheses = [
        hypothesis for claim in results.spec.claims for hypothesis in expand_claim(results.spec, claim)
    ]
    keys = [_test_key(results, hypothesis) for hypothesis in hypotheses]
    claims = [_evaluate_claim(results, hypothesis, values_by_cell) for hypothesis in hypotheses]
    tests = dict(zip(keys, claims, strict=True))
    one_sided, two_sided = (
        holm([getattr(claim, p) for claim in tests.values()]) for p in ("p", "p_two_sided")
    )
    corrected = dict(zip(tests, zip(one_sided, two_sided, strict=True), strict=True))
    return tuple(
        replace(claim, p_holm=float(corrected[key][0]), p_two_sided_holm=float(corrected[key][1]))
        for claim, key in zip(claims, keys, strict=True)
    )


def _test_key(results: TableResults, hypothesis: Hypothesis) -> tuple[object, ...]:
    """Return what identifies a test: the runs, columns and weights of all contrasts, and the claimed region."""
    contrasts = tuple(
        tuple((term.weight, _run_sources(results, term.row, term.column), term.column) for term in contrast)
        for contrast in hypothesis.contrasts
    )
    return contrasts, hypothesis.sign, hypothesis.center, hypothesis.margin


def _evaluate_claim(
    results: TableResults, hypothesis: Hypothesis, values_by_cell: ValuesByCell
) -> ClaimResult:
    published = hypothesis.published_value(results.spec)
    untested = ClaimResult(
        hypothesis.kind, hypothesis.statement, hypothesis.subject, hypothesis.quote, hypothesis.cells, published,
        hypothesis.support(published), hypothesis.remark,
    )  # fmt: skip
    contrasts = [contrast for contrast in hypothesis.contrasts if not _has_equal_sides(results, contrast)]
    if not contrasts:
        return replace(untested, identical_runs=True)
    with_runs = [
        runs for contrast in contrasts if (runs := _contrast_runs(results, contrast, values_by_cell)).values
    ]
    if not with_runs:
        return untested
    untested = _with_values(
        untested, hypothesis, min(with_runs, key=lambda runs: hypothesis.support(runs.mean))
    )
    try:
        return _test_contrasts(untested, hypothesis, results, with_runs)
    except LesionLensError as error:
        return replace(untested, note=f"not tested: {error}")


def _with_values(claim: ClaimResult, hypothesis: Hypothesis, runs: ContrastRuns) -> ClaimResult:
    return replace(
        claim, num_pairs=len(runs.values), difference=runs.mean, support=hypothesis.support(runs.mean)
    )


def _has_equal_sides(results: TableResults, contrast: Contrast) -> bool:
    """Return whether a difference of two rows, or one of the two of an interaction, is of the same runs and maps."""
    sides = [(term.column, _run_sources(results, term.row, term.column)) for term in contrast]
    halves = [sides[:2], sides[2:]] if len(sides) == 4 else [sides]
    differences = [half for half in halves if len(half) == 2]
    has_runs = any(run_dirs for _, sources in sides for run_dirs, _ in sources)
    return has_runs and (
        any(first == second for first, second in differences) or (len(halves) == 2 and halves[0] == halves[1])
    )


def _run_sources(results: TableResults, row: str, column: str) -> tuple[tuple[frozenset[Path], str], ...]:
    """Return the run folders and the map behind a row's value, for each base column of a column."""
    spec = results.spec
    return tuple(
        (
            frozenset(
                cell.run_dir.path
                for cell in results.cells
                if cell.row == row and cell.variant in leaf.variants
            ),
            results.local_map_name(spec.measured_column(row, leaf.name).map),
        )
        for leaf in base_columns(spec, spec.column(column))
    )


def _contrast_runs(results: TableResults, contrast: Contrast, values_by_cell: ValuesByCell) -> ContrastRuns:
    """Return the value of a contrast in each repeat and fold in which all of its cells have one."""
    cells = [
        (
            results.spec.scale(term.column) * term.weight,
            {
                (run.run, run.fold): run.value
                for run in values_by_cell[term.row, term.column]
                if math.isfinite(run.value)
            },
        )
        for term in contrast
    ]
    keys = [key for key in cells[0][1] if all(key in values for _, values in cells)]
    return ContrastRuns(
        contrast, {key: math.fsum(weight * values[key] for weight, values in cells) for key in keys}
    )


def _test_contrasts(
    claim: ClaimResult, hypothesis: Hypothesis, results: TableResults, contrasts: Sequence[ContrastRuns]
) -> ClaimResult:
    """Test all contrasts; the claim holds if each of them does, so that the largest p-value counts.

    The contrary holds if it does for any of those that are not as claimed, with Bonferroni's correction.
    """
    tested = [
        TestedContrast(runs, evidence, evaluate_hypothesis(hypothesis, evidence))
        for runs, evidence in zip(contrasts, _evidence(results, contrasts), strict=True)
    ]
    undefined = [test for test in tested if math.isnan(test.outcome.p)]
    weakest = max(tested, key=lambda test: (test.outcome.p, -hypothesis.support(test.runs.mean)))
    if undefined:
        weakest = min(undefined, key=lambda test: hypothesis.support(test.runs.mean))
    contrary = weakest.outcome.p_two_sided
    if len(tested) > 1:
        against = [test.outcome.p_two_sided for test in tested if hypothesis.support(test.runs.mean) < 0]
        contrary = min(1.0, len(tested) * min(against, default=1.0))
    outcome, evidence = weakest.outcome, weakest.evidence
    claim = _with_values(claim, hypothesis, weakest.runs)
    return replace(
        claim, low=outcome.low, high=outcome.high, confidence=outcome.confidence, p=outcome.p,
        p_two_sided=math.nan if undefined else contrary, p_sign_flip=_sign_flip_p(hypothesis, tested),
        test=evidence.test, note=evidence.note,
    )  # fmt: skip


def _sign_flip_p(hypothesis: Hypothesis, tested: Sequence[TestedContrast]) -> float:
    """Return the one-sided p-value of the permutation test, if a sign is claimed and there are enough runs."""
    alternative: Alternative = "greater" if hypothesis.sign > 0 else "less"
    if not hypothesis.sign or min(len(test.runs.values) for test in tested) < MIN_RUNS_FOR_SIGN_FLIP:
        return math.nan
    return max(sign_flip_permutation_test([*test.runs.values.values()], alternative).p for test in tested)


def _evidence(results: TableResults, contrasts: Sequence[ContrastRuns]) -> list[Evidence]:
    """Return the evidence on each contrast: values of three or more runs, otherwise bootstrap samples of lesions."""
    samples = _samples_by_run(results, [runs for runs in contrasts if len(runs.values) < MIN_RUNS])
    return [
        _over_runs(runs)
        if len(runs.values) >= MIN_RUNS
        else LesionEvidence(tuple(samples[key][runs.contrast] for key in runs.values))
        for runs in contrasts
    ]


def _over_runs(runs: ContrastRuns) -> RunEvidence:
    folds = len({fold for _, fold in runs.values}) > 1
    return RunEvidence(tuple(runs.values.values()), folds, paired=len(runs.contrast) > 1)


def _samples_by_run(
    results: TableResults, contrasts: Sequence[ContrastRuns]
) -> dict[RunKey, dict[Contrast, LesionSample]]:
    """Sample the contrasts of one or two runs, for each run those that it has."""
    keys = dict.fromkeys(key for runs in contrasts for key in runs.values)
    samples = {}
    for key in keys:
        present = [runs.contrast for runs in contrasts if key in runs.values]
        correlated = [contrast for contrast in present if _is_correlation(results, contrast)]
        others = [contrast for contrast in present if contrast not in correlated]
        for contrast in others:
            _check_has_predictions(results, contrast)
        sampled = sample_contrasts(results, others, key) if others else []
        samples[key] = dict(zip(others, sampled, strict=True))
        samples[key] |= {contrast: _correlation_sample(results, contrast[0], key) for contrast in correlated}
    return samples


def _is_correlation(results: TableResults, contrast: Contrast) -> bool:
    return len(contrast) == 1 and results.spec.column(contrast[0].column).correlation is not None


def _correlation_sample(results: TableResults, term: Term, key: RunKey) -> LesionSample:
    """Return the bootstrap samples of a correlation in one run.

    Raises
    ------
    ComparisonError
        It is a correlation over epochs.
    """
    column_spec = results.spec.measured_column(term.row, term.column)
    cells = results.cells_for(term.row, column_spec.variants[0])
    cell = next(cell for cell in cells if (cell.run, cell.fold) == key)
    sample = sample_correlation(results, cell, column_spec)
    if not len(sample.resampled):
        raise ComparisonError(f"fewer than {MIN_RUNS} runs, and the epochs of a run are not independent")
    return LesionSample(
        term.weight * sample.value, term.weight * sample.resampled, sample.num_lesions, sample.num_lesions
    )


def _check_has_predictions(results: TableResults, contrast: Contrast) -> None:
    """Raise a ComparisonError if a column of a contrast is not computed from predictions."""
    columns = [
        leaf for term in contrast for leaf in base_columns(results.spec, results.spec.column(term.column))
    ]
    if any(not leaf.is_fraction or leaf.crop_draws for leaf in columns):
        raise ComparisonError(
            f"fewer than {MIN_RUNS} runs, and the column is not computed from one set of scores"
        )
    if any(leaf.metric not in METRICS for leaf in columns):
        raise ComparisonError(f"fewer than {MIN_RUNS} runs, and the column measures attention maps")
