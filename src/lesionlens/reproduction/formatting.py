"""How numbers of a table are written for people."""

import math
from typing import NamedTuple

from lesionlens.evaluation.formatting import UNDEFINED_SYMBOL
from lesionlens.reproduction.claims import ClaimResult
from lesionlens.reproduction.outcome import TableOutcome
from lesionlens.reproduction.spec import TableSpec
from lesionlens.reproduction.table_cells import TableCell

IN_INTERVAL_MARK, OUTSIDE_INTERVAL_MARK = "●", "○"  # told apart in black and white
MIN_DECIMALS = {"fraction": 3, "percent": 1}
MAX_DECIMALS = 4


class FormattedCell(NamedTuple):
    """A number of the table in words; what does not exist is ""."""

    value: str
    interval: str
    std: str
    published: str
    difference: str
    mark: str
    spread: str
    notes: tuple[int, ...]


class FormattedClaim(NamedTuple):
    """An ordering in words."""

    claim: ClaimResult
    published: str
    difference: str
    interval: str
    p: str
    sign_flip: str


class TableFormatter:
    """Writes the numbers of one outcome, all with the same digits, and gathers the notes under them.

    Attributes
    ----------
    notes
        Each different note once, in the order in which they were met: note n is called n + 1.
    """

    def __init__(self, outcome: TableOutcome) -> None:
        self.notes: list[str] = []
        self._comparable = outcome.is_comparable_to_paper
        self._decimals = decimal_places(outcome.results.spec)

    def format_cell(self, cell: TableCell) -> FormattedCell:
        """Write a number; the mark says whether the published one lies in the interval, where that is a question."""
        published = cell.published
        said = "" if published is None else self._format_value(published.value)
        if published is not None and published.spread is not None:
            said = f"{said} ± {self._format_value(published.spread)}"
        mark = (
            ""
            if cell.published_in_interval is None or not self._comparable
            else IN_INTERVAL_MARK
            if cell.published_in_interval
            else OUTSIDE_INTERVAL_MARK
        )
        within = cell.within_spread if self._comparable else None
        return FormattedCell(
            value=self._format_value(cell.mean),
            interval=self._format_interval(cell),
            std="" if math.isnan(cell.std) else self._format_value(cell.std),
            published=said,
            difference=self._format_signed(cell.difference),
            mark=mark,
            spread="" if within is None else f"{'within' if within else 'beyond'} the paper's ±",
            notes=tuple(self._note_number(note) for note in cell.notes),
        )

    def format_claim(self, claim: ClaimResult) -> FormattedClaim:
        """Write an ordering."""
        interval = (
            ""
            if math.isnan(claim.low)
            else f"{self._format_signed(claim.low)} to {self._format_signed(claim.high)}"
        )
        opposite = claim.verdict.startswith("opposite")
        p = claim.p_two_sided_holm if opposite else claim.p_holm
        return FormattedClaim(
            claim, self._format_signed(claim.published_difference) or UNDEFINED_SYMBOL,
            self._format_signed(claim.difference) or UNDEFINED_SYMBOL, interval,
            f"{format_rounded_p_value(p)}{' two-sided' if opposite else ''}" if math.isfinite(p) else UNDEFINED_SYMBOL,
            format_rounded_p_value(claim.p_sign_flip) if math.isfinite(claim.p_sign_flip) else "",
        )  # fmt: skip

    def _note_number(self, note: str) -> int:
        if note not in self.notes:
            self.notes.append(note)
        return self.notes.index(note) + 1

    def _format_interval(self, cell: TableCell) -> str:
        if math.isnan(cell.low):
            return ""
        between = " to " if cell.low < 0 else "–"
        return f"{self._format_value(cell.low)}{between}{self._format_value(cell.high)}"

    def _format_value(self, value: float) -> str:
        return UNDEFINED_SYMBOL if math.isnan(value) else f"{value:.{self._decimals}f}".replace("-", "−")

    def _format_signed(self, value: float) -> str:
        if math.isnan(value):
            return ""
        text = f"{value:+.{self._decimals}f}"
        return "±" + text[1:] if not float(text) else text.replace("-", "−")


def decimal_places(spec: TableSpec) -> int:
    """Give as many digits as the published numbers have, within reason."""
    said = [each.value for row in spec.rows for each in row.published.values()]
    own = [len(repr(value).partition(".")[2]) for value in said if value != int(value)]
    return min(MAX_DECIMALS, max([MIN_DECIMALS[spec.unit], *own]))


def format_rounded_p_value(p: float) -> str:
    """Write a p-value.

    Examples
    --------
    >>> format_rounded_p_value(0.0312), format_rounded_p_value(0.00002)
    ('0.031', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
