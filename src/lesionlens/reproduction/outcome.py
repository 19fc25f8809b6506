"""What came of an experiment: its numbers beside the published ones, its claims tested, and what may be said of it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lesionlens.reproduction.catalog import PAPERS
from lesionlens.reproduction.claims import ClaimResult, ValuesByCell, evaluate_claims
from lesionlens.reproduction.measurements import base_columns, run_values
from lesionlens.reproduction.planner import RunCell, TableResults
from lesionlens.reproduction.table_cells import TableCell, summarize_cell


@dataclass(frozen=True)
class TableOutcome:
    """An experiment's outcome.

    Attributes
    ----------
    cells
        Row by row, one for each column.
    claims
        Claim by claim.
    synthetic
        Some images were drawn by a program.
    is_comparable_to_paper
        The paper's protocol, unchanged, on photographs: only then are numbers held against published ones.
    """

    results: TableResults
    cells: tuple[TableCell, ...]
    claims: tuple[ClaimResult, ...]
    synthetic: bool

    @property
    def is_comparable_to_paper(self) -> bool:
        """Whether what is measured can be held against what was published."""
        return self.results.profile == "paper" and not self.results.protocol_overrides and not self.synthetic

    def cell(self, row: str, column: str) -> TableCell:
        """Find a number."""
        return next(each for each in self.cells if (each.row, each.column) == (row, column))


def evaluate_table(results: TableResults) -> TableOutcome:
    """Judge an experiment's runs; maps and generated sets that were not measured yet are measured now."""
    experiment = results.spec
    places = [(row.name, metric.name) for row in experiment.rows for metric in experiment.columns]
    measured: ValuesByCell = {place: run_values(results, *place) for place in places}
    return TableOutcome(
        results,
        tuple(_summarize(results, row, column, measured) for row, column in places),
        evaluate_claims(results, measured),
        used_synthetic_data(results.cells),
    )


def used_synthetic_data(cells: Iterable[RunCell]) -> bool:
    """Say whether some finished runs saw images that a program drew: their records tell."""
    finished = [cell for cell in cells if cell.state == "finished"]
    return any(cell.run_dir.metadata()["data"].get("synthetic_data_notice") for cell in finished)


def _summarize(results: TableResults, row: str, column: str, values_by_cell: ValuesByCell) -> TableCell:
    experiment = results.spec
    metric = experiment.column(column)
    variants = {leaf.variant for leaf in base_columns(experiment, metric)}
    planned = [cell for cell in results.cells if cell.row == row and cell.variant in variants]
    return summarize_cell(
        row,
        column,
        values_by_cell[row, column],
        published=experiment.row(row).published.get(column),
        num_planned=len({(cell.run, cell.fold) for cell in planned}),
        scale=100 if experiment.unit == "percent" else 1,
        bounds=(-math.inf, math.inf) if metric.minus else (0, 1),
        missing_reason=_missing_reason(experiment.row(row).reason_not_run, planned),
    )


def _missing_reason(reason_not_run: str, planned: list[RunCell]) -> str:
    """Say why runs are missing."""
    if reason_not_run:
        return reason_not_run
    if not planned:
        return "this row has no such runs"
    missing = [cell for cell in planned if cell.state != "finished"]
    failed = [cell.message for cell in missing if cell.state == "failed"]
    if failed:
        return f"{len(failed)} of {len(planned)} runs failed: {failed[0]}"
    states = ", ".join(dict.fromkeys(cell.state for cell in missing))
    return f"{len(missing)} of {len(planned)} runs are not there: {states}" if missing else ""


def summary_sentence(outcome: TableOutcome) -> str:
    """Sum up: how many published numbers lie in the measured intervals, and how many claimed orderings hold.

    Of synthetic images or of less than the paper's protocol, no published number is counted.
    """
    cells = outcome.results.cells
    finished = sum(cell.state == "finished" for cell in cells)
    if not finished:
        return "Nothing has been measured yet."
    first = _published_sentence(outcome) if outcome.is_comparable_to_paper else _caveat_sentence(outcome)
    so_far = "" if finished == len(cells) else f"So far {finished} of {len(cells)} runs are finished."
    return " ".join(filter(None, [first, _claims_sentence(outcome), so_far]))


def _caveat_sentence(outcome: TableOutcome) -> str:
    what = "synthetic images" if outcome.synthetic else "photographs"
    changed = " by a changed protocol" if outcome.results.protocol_overrides else ""
    how = changed if outcome.results.profile == "paper" else " with a small network or a small budget"
    alone = "real lesions" if outcome.synthetic else "networks trained in full"
    of = "the published numbers" if _has_published(outcome) else alone
    if outcome.results.profile == "smoke":
        return f"A few steps of a tiny network on {what}: no number here means anything."
    return f"Measured on {what}{how}: it says nothing about {of}."


def _has_published(outcome: TableOutcome) -> bool:
    return any(each.published for each in outcome.cells)


def _published_sentence(outcome: TableOutcome) -> str:
    held = [each.published_in_interval for each in outcome.cells if each.published_in_interval is not None]
    if not held:
        return "No published number has a measured interval." if _has_published(outcome) else ""
    lie = "lies" if sum(held) == 1 else "lie"
    return f"{sum(held)} of {len(held)} published numbers {lie} in the 95 % interval of what was measured."


def _claims_sentence(outcome: TableOutcome) -> str:
    words = [each.verdict for each in outcome.claims]
    if not words or outcome.results.profile == "smoke":  # a few steps order nothing
        return ""
    there = "" if outcome.is_comparable_to_paper else "On these runs, "
    tested = sum(bool(each.test) for each in outcome.claims)
    against = words.count("opposite, and shown")
    holds = words.count("holds")
    if not tested:
        return "No ordering could be tested."
    kind = "claimed" if outcome.results.spec.paper in PAPERS else "expected"
    verb = "holds" if holds == 1 else "hold"
    text = f"{there}{holds} of {len(words)} {kind} orderings {verb} ({tested} could be tested)"
    return (
        f"{text}; {against} {'is' if against == 1 else 'are'} shown the other way round."
        if against
        else f"{text}."
    )
