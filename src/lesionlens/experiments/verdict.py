"""What came of an experiment: its numbers beside the published ones, its claims tested, and what may be said of it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lesionlens.experiments.measured import base_columns, run_values
from lesionlens.experiments.number import TableCell, summarize_cell
from lesionlens.experiments.ordered import ValuesByCell, evaluate_claims
from lesionlens.experiments.ordering import ClaimResult
from lesionlens.experiments.results import RunCell, TableResults


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
    return any(cell.run_dir.metadata()["data"].get("statement") for cell in finished)


def _summarize(results: TableResults, row: str, column: str, values_by_cell: ValuesByCell) -> TableCell:
    experiment = results.spec
    metric = experiment.column(column)
    parts = {leaf.variant for leaf in base_columns(experiment, metric)}
    planned = [cell for cell in results.cells if cell.row == row and cell.variant in parts]
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
