"""Outcome of a table: measured and published values, tested claims, and a summary in words."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from lesionlens.reproduction.catalog import PAPERS
from lesionlens.reproduction.claim_result import ClaimResult
from lesionlens.reproduction.claims import ValuesByCell, evaluate_claims
from lesionlens.reproduction.measurements import RunValue, base_columns, run_values
from lesionlens.reproduction.planner import RunCell, TableResults
from lesionlens.reproduction.table_cells import TableCell, summarize_cell
from lesionlens.training.setup import SYNTHETIC_DATA_NOTICE


@dataclass(frozen=True)
class TableOutcome:
    """Outcome of a table.

    Attributes
    ----------
    results
        The table and its runs.
    cells
        Cells row by row, one per column.
    claims
        Result of each claim.
    values
        Values of the runs by (row, column).
    synthetic
        Whether a run used synthetic images.
    """

    results: TableResults
    cells: tuple[TableCell, ...]
    claims: tuple[ClaimResult, ...]
    values: ValuesByCell
    synthetic: bool

    @property
    def is_comparable_to_paper(self) -> bool:
        """Whether values are comparable with published ones: the paper's unchanged protocol on real images."""
        return (
            self.results.profile == "paper" and not self.results.protocol_differences and not self.synthetic
        )

    def cell(self, row: str, column: str) -> TableCell:
        """Return the cell of a row and a column."""
        return next(cell for cell in self.cells if (cell.row, cell.column) == (row, column))


def evaluate_table(results: TableResults) -> TableOutcome:
    """Evaluate the runs of a table; this measures attention maps and generated sets that were not measured before.

    Claims are judged only if the runs are comparable with the paper's and all of them are finished.
    """
    cells = [(row.name, column.name) for row in results.spec.rows for column in results.spec.columns]
    measured: ValuesByCell = {(row, column): run_values(results, row, column) for row, column in cells}
    outcome = TableOutcome(
        results,
        tuple(_summarize(results, row, column, measured) for row, column in cells),
        evaluate_claims(results, measured),
        measured,
        used_synthetic_data(results.cells) or counted_synthetic_data(results),
    )
    return replace(outcome, claims=tuple(_with_is_judged(outcome, claim) for claim in outcome.claims))


def single_run_values(outcome: TableOutcome) -> dict[str, dict[str, dict[str, float]]]:
    """Return the value of every run in the columns of ``single_runs``, by column, row and run, in the table's unit."""
    spec = outcome.results.spec
    return {
        column: {
            row.name: {
                _run_label(run): spec.scale(column) * run.value
                for run in outcome.values[row.name, column]
                if math.isfinite(run.value)
            }
            for row in spec.rows
        }
        for column in spec.single_runs
    }


def _run_label(run: RunValue) -> str:
    return f"run {run.run + 1}" if run.fold is None else f"run {run.run + 1}, fold {run.fold + 1}"


def _with_is_judged(outcome: TableOutcome, claim: ClaimResult) -> ClaimResult:
    complete = all(outcome.cell(row, column).is_complete for row, column in claim.cells)
    return replace(claim, is_judged=outcome.is_comparable_to_paper and complete)


def used_synthetic_data(cells: Iterable[RunCell]) -> bool:
    """Return whether a finished run used synthetic images, according to its metadata."""
    finished = [cell for cell in cells if cell.state == "finished"]
    return any(cell.run_dir.metadata()["data"].get("synthetic_data_notice") for cell in finished)


def counted_synthetic_data(results: TableResults) -> bool:
    """Return whether classes of synthetic images are counted."""
    return bool(results.class_counts) and SYNTHETIC_DATA_NOTICE in results.caveats


def _summarize(results: TableResults, row: str, column: str, values_by_cell: ValuesByCell) -> TableCell:
    spec = results.spec
    column_spec = spec.column(column)
    variants = {variant for leaf in base_columns(spec, column_spec) for variant in leaf.variants}
    planned = [cell for cell in results.cells if cell.row == row and cell.variant in variants]
    return summarize_cell(
        row,
        column,
        values_by_cell[row, column],
        published=spec.row(row).published.get(column),
        num_planned=1 if spec.row(row).counts else len({(cell.run, cell.fold) for cell in planned}),
        scale=spec.scale(column),
        bounds=column_spec.bounds,
        missing_reason=_missing_reason(results, row, planned),
    )


def _missing_reason(results: TableResults, row: str, planned: list[RunCell]) -> str:
    """Return the reason why runs of a row are missing; "" if none is."""
    spec = results.spec.row(row)
    if spec.reason_not_run:
        return spec.reason_not_run
    if spec.counts:
        is_counted = row in results.class_counts
        return "" if is_counted else f"not counted: pass --dataset {spec.counts.dataset}:FOLDER"
    if not planned:
        return "this row has no runs of this variant"
    missing = [cell for cell in planned if cell.state != "finished"]
    failed = [cell.message for cell in missing if cell.state == "failed"]
    if failed:
        return f"{len(failed)} of {len(planned)} runs failed: {failed[0]}"
    states = ", ".join(dict.fromkeys(cell.state for cell in missing))
    return f"{len(missing)} of {len(planned)} runs are not finished: {states}" if missing else ""


def summary_sentence(outcome: TableOutcome) -> str:
    """Return a summary: how many published values are in the measured intervals, and how many claims hold.

    Both are counted only if the paper's protocol was run on real images.
    """
    cells = outcome.results.cells
    finished = sum(cell.state == "finished" for cell in cells)
    if outcome.results.class_counts:
        return _counts_sentence(outcome)
    if not finished:
        return "Nothing has been measured yet."
    first = _published_sentence(outcome) if outcome.is_comparable_to_paper else _caveat_sentence(outcome)
    so_far = "" if finished == len(cells) else f"So far {finished} of {len(cells)} runs are finished."
    return " ".join(filter(None, [first, _claims_sentence(outcome), so_far]))


def _counts_sentence(outcome: TableOutcome) -> str:
    """Return how many published counts are those of the datasets."""
    if outcome.synthetic:
        return "Counted on synthetic images: it says nothing about the papers' datasets."
    differences = [cell.difference for cell in outcome.cells if math.isfinite(cell.difference)]
    equal = differences.count(0)
    return (
        f"{equal} of {len(differences)} published counts are those of the datasets."
        if differences
        else "No count is published."
    )


def _caveat_sentence(outcome: TableOutcome) -> str:
    images = "synthetic images" if outcome.synthetic else "real images"
    changed = " with a changed protocol" if outcome.results.protocol_differences else ""
    protocol = changed if outcome.results.profile == "paper" else " with a small network or a small budget"
    subject = "real lesions" if outcome.synthetic else "fully trained networks"
    if outcome.results.profile == "smoke":
        return f"A few steps of a tiny network on {images}: no number here means anything."
    if _has_published(outcome):
        subject = "the published numbers"
    return f"Measured on {images}{protocol}: it says nothing about {subject}."


def _has_published(outcome: TableOutcome) -> bool:
    return any(cell.published for cell in outcome.cells)


def _published_sentence(outcome: TableOutcome) -> str:
    inside = [cell.published_in_interval for cell in outcome.cells if cell.published_in_interval is not None]
    if not inside:
        return "No published number has a measured interval." if _has_published(outcome) else ""
    verb = "is" if sum(inside) == 1 else "are"
    return f"{sum(inside)} of {len(inside)} published numbers {verb} in the measured 95 % interval."


def _claims_sentence(outcome: TableOutcome) -> str:
    verdicts = [claim.verdict for claim in outcome.claims]
    if not verdicts or not outcome.is_comparable_to_paper:
        return ""
    tested = sum(bool(claim.test) for claim in outcome.claims)
    opposite = verdicts.count("opposite, and shown")
    holds = verdicts.count("holds")
    if not tested:
        return "No claim could be tested."
    kind = "claims" if outcome.results.spec.paper in PAPERS else "expectations"
    verb = "holds" if holds == 1 else "hold"
    sentence = f"{holds} of {len(verdicts)} {kind} {verb} ({tested} could be tested)"
    if not opposite:
        return f"{sentence}."
    return f"{sentence}; {opposite} {'is' if opposite == 1 else 'are'} significantly contradicted."
