"""Formatting of a table's values and claims for pages."""

import math
from typing import NamedTuple

from lesionlens.evaluation.formatting import UNDEFINED_SYMBOL
from lesionlens.reproduction.claim_result import ClaimResult
from lesionlens.reproduction.column_spec import CorrelationSpec
from lesionlens.reproduction.outcome import TableOutcome, single_run_values
from lesionlens.reproduction.paper_test import PaperTestLine
from lesionlens.reproduction.spec import TableSpec
from lesionlens.reproduction.table_cells import TableCell

IN_INTERVAL_MARK, OUTSIDE_INTERVAL_MARK = "●", "○"  # distinguishable in black and white
MIN_DECIMALS = {"fraction": 3, "percent": 1, "count": 0}
MAX_DECIMALS = 4
DEFAULT_CONFIDENCE = 0.95


class FormattedCell(NamedTuple):
    """Text of a cell; undefined parts are ""."""

    value: str
    interval: str
    std: str
    published: str
    difference: str
    mark: str
    spread: str
    notes: tuple[int, ...]


class FormattedClaim(NamedTuple):
    """Text of a claim."""

    claim: ClaimResult
    published: str
    difference: str
    interval: str
    p: str
    sign_flip: str


class FormattedTest(NamedTuple):
    """Text of a line of the paper's own test."""

    values: str
    means: str
    t: str
    df: str
    critical: str
    p: str
    conclusion: str
    note: str


def format_attribute(value: bool | str) -> str:
    """Format an attribute of a row.

    Examples
    --------
    >>> format_attribute(True), format_attribute(False), format_attribute("no masks")
    ('✓', '✗', 'no masks')
    """
    return value if isinstance(value, str) else "✓" if value else "✗"


class TableFormatter:
    """Formats all values of an outcome with the same number of decimals, and collects their notes.

    Attributes
    ----------
    notes
        Distinct notes in order of their first appearance; cells refer to index n as n + 1.
    """

    def __init__(self, outcome: TableOutcome) -> None:
        self.notes: list[str] = []
        self._outcome = outcome
        self._comparable = outcome.is_comparable_to_paper
        self._spec = outcome.results.spec
        self._decimals = decimal_places(self._spec)

    def format_cell(self, cell: TableCell) -> FormattedCell:
        """Format a cell; if values are comparable, its mark shows whether the published value is in the interval."""
        published = cell.published
        published_text = "" if published is None else self._format_value(published.value)
        if published is not None and published.spread is not None:
            published_text = f"{published_text} ± {self._format_value(published.spread)}"
        mark = ""
        if self._comparable and cell.published_in_interval is not None:
            mark = IN_INTERVAL_MARK if cell.published_in_interval else OUTSIDE_INTERVAL_MARK
        within = cell.within_spread if self._comparable else None
        style = self._number_format(cell.column)
        return FormattedCell(
            value=self._format_value(cell.mean, style),
            interval=self._format_interval(cell, style),
            std="" if math.isnan(cell.std) else self._format_value(cell.std, style),
            published=published_text,
            difference=self._format_signed(cell.difference),
            mark=mark,
            spread="" if within is None else f"{'within' if within else 'beyond'} the paper's ±",
            notes=tuple(self._note_number(note) for note in cell.notes),
        )

    def format_runs(self) -> list[tuple[str, list[str], list[tuple[str, list[str]]]]]:
        """Return the tables of single runs: column, headings of the runs, and each row with its formatted values."""
        tables = []
        for column, rows in single_run_values(self._outcome).items():
            labels = list(dict.fromkeys(label for values in rows.values() for label in values))
            lines = [
                (row, [self._format_value(values.get(label, math.nan)) for label in labels])
                for row, values in rows.items()
                if values
            ]
            tables += [(column, labels, lines)] if lines else []
        return tables

    def format_paper_test(self, line: PaperTestLine) -> FormattedTest:
        """Format a line of the paper's own test."""
        return FormattedTest(
            f"{line.values}, {line.test}", " and ".join(map(self._format_value, line.means)),
            UNDEFINED_SYMBOL if math.isnan(line.t) else f"{line.t:.2f}".replace("-", "−"),
            str(line.df or UNDEFINED_SYMBOL), "" if math.isnan(line.critical) else f"−{line.critical:.3f}",
            UNDEFINED_SYMBOL if math.isnan(line.p) else format_rounded_p_value(line.p), line.conclusion, line.note,
        )  # fmt: skip

    def format_claim(self, claim: ClaimResult) -> FormattedClaim:
        """Format a claim."""
        style = self._number_format(claim.cells[0][1])
        low, high = (self._format_signed(bound, style) for bound in (claim.low, claim.high))
        interval = f"{low} to {high}" if low else ""
        if interval and claim.confidence != DEFAULT_CONFIDENCE:
            interval = f"{interval} ({100 * claim.confidence:.0f} %)"
        opposite = claim.verdict.startswith("opposite")
        p = claim.p_two_sided_holm if opposite else claim.p_holm
        return FormattedClaim(
            claim, self._format_signed(claim.published_difference) or UNDEFINED_SYMBOL,
            self._format_signed(claim.difference, style) or UNDEFINED_SYMBOL, interval,
            f"{format_rounded_p_value(p)}{' two-sided' if opposite else ''}" if math.isfinite(p) else UNDEFINED_SYMBOL,
            format_rounded_p_value(claim.p_sign_flip) if math.isfinite(claim.p_sign_flip) else "",
        )  # fmt: skip

    def _note_number(self, note: str) -> int:
        if note not in self.notes:
            self.notes.append(note)
        return self.notes.index(note) + 1

    def _number_format(self, column: str) -> str:
        """Return the format of a column's numbers; logged values such as 0.00103 have no common number of decimals."""
        column_spec = self._spec.column(column)
        if column_spec.logged:
            return ".3g"
        return ".2f" if column_spec.correlation else f".{self._decimals}f"

    def _format_interval(self, cell: TableCell, style: str) -> str:
        if math.isnan(cell.low):
            return ""
        between = " to " if cell.low < 0 else "–"
        return f"{self._format_value(cell.low, style)}{between}{self._format_value(cell.high, style)}"

    def _format_value(self, value: float, style: str = "") -> str:
        if math.isnan(value):
            return UNDEFINED_SYMBOL
        return f"{value:{style or f'.{self._decimals}f'}}".replace("-", "−")

    def _format_signed(self, value: float, style: str = "") -> str:
        if math.isnan(value):
            return ""
        text = f"{value:+{style or f'.{self._decimals}f'}}"
        return "±" + text[1:] if not float(text) else text.replace("-", "−")


def describe_correlation(map_name: str, correlation: CorrelationSpec) -> str:
    """Return the description of a correlation of two quantities.

    Examples
    --------
    >>> describe_correlation("end-crops", CorrelationSpec(of=("crop_weight", "lesion_fraction")))
    "Spearman's ρ of crop weight and lesion fraction of crops, map end-crops"
    """
    first, second = (name.replace("_", " ") for name in correlation.of)
    description = f"Spearman's ρ of {first} and {second}, over the epochs"
    if correlation.unit != "epochs":
        description = f"Spearman's ρ of {first} and {second} of {correlation.unit}, map {map_name}"
    if correlation.without_means_of:
        return f"{description}; less the means of each {' and '.join(correlation.without_means_of)}"
    return description


def decimal_places(spec: TableSpec) -> int:
    """Return the number of decimals of the published values, between ``MIN_DECIMALS`` and ``MAX_DECIMALS``."""
    values = [published.value for row in spec.rows for published in row.published.values()]
    decimals = [len(repr(value).partition(".")[2]) for value in values if value != int(value)]
    return min(MAX_DECIMALS, max([MIN_DECIMALS[spec.unit], *decimals]))


def format_rounded_p_value(p: float) -> str:
    """Format a p-value.

    Examples
    --------
    >>> format_rounded_p_value(0.0312), format_rounded_p_value(0.00002)
    ('0.031', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
