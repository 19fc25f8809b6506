"""What came of an experiment: its numbers beside the published ones, its claims tested, and what may be said of it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lesionlens.experiments.measured import leaves, values
from lesionlens.experiments.number import Number, number
from lesionlens.experiments.ordered import Measured, orderings
from lesionlens.experiments.ordering import Ordering
from lesionlens.experiments.results import Cell, Results


@dataclass(frozen=True)
class Verdict:
    """An experiment's outcome.

    Attributes
    ----------
    numbers
        Row by row, one for each column.
    orderings
        Claim by claim.
    synthetic
        Some images were drawn by a program.
    comparable
        The paper's protocol, unchanged, on photographs: only then are numbers held against published ones.
    """

    results: Results
    numbers: tuple[Number, ...]
    orderings: tuple[Ordering, ...]
    synthetic: bool

    @property
    def comparable(self) -> bool:
        """Whether what is measured can be held against what was published."""
        return self.results.profile == "paper" and not self.results.changed and not self.synthetic

    def number(self, row: str, column: str) -> Number:
        """Find a number."""
        return next(each for each in self.numbers if (each.row, each.column) == (row, column))


def verdict(results: Results) -> Verdict:
    """Judge an experiment's runs; maps and generated sets that were not measured yet are measured now."""
    experiment = results.experiment
    places = [(row.name, metric.name) for row in experiment.rows for metric in experiment.metrics]
    measured: Measured = {place: values(results, *place) for place in places}
    return Verdict(
        results,
        tuple(_number(results, row, column, measured) for row, column in places),
        orderings(results, measured),
        drawn(results.cells),
    )


def drawn(cells: Iterable[Cell]) -> bool:
    """Say whether some finished runs saw images that a program drew: their records tell."""
    finished = [cell for cell in cells if cell.state == "finished"]
    return any(cell.folder.record()["data"].get("statement") for cell in finished)


def _number(results: Results, row: str, column: str, measured: Measured) -> Number:
    experiment = results.experiment
    metric = experiment.metric(column)
    parts = {leaf.part for leaf in leaves(experiment, metric)}
    planned = [cell for cell in results.cells if cell.row == row and cell.part in parts]
    return number(
        row,
        column,
        measured[row, column],
        published=experiment.row(row).published.get(column),
        planned=len({(cell.run, cell.fold) for cell in planned}),
        scale=100 if experiment.unit == "percent" else 1,
        bounds=(-math.inf, math.inf) if metric.less else (0, 1),
        why=_why(experiment.row(row).without, planned),
    )


def _why(without: str, planned: list[Cell]) -> str:
    """Say why runs are missing."""
    if without:
        return without
    if not planned:
        return "this row has no such runs"
    missing = [cell for cell in planned if cell.state != "finished"]
    failed = [cell.message for cell in missing if cell.state == "failed"]
    if failed:
        return f"{len(failed)} of {len(planned)} runs failed: {failed[0]}"
    states = ", ".join(dict.fromkeys(cell.state for cell in missing))
    return f"{len(missing)} of {len(planned)} runs are not there: {states}" if missing else ""
