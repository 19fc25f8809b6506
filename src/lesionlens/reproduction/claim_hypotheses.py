"""Hypotheses of a table's claims: which weighted sums of cells have a sign, or are within a margin.

An ordering of two rows is the difference of two cells, an interaction the difference of two such differences, and a
correlation a single cell. A statement about many pairs (each of several rows) is one hypothesis with a contrast per
pair, all of which have to hold (Berger 1982).
"""

import itertools
import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from lesionlens.reproduction.claim_spec import (
    ALL_ROWS,
    ClaimSpec,
    CorrelationClaim,
    EquivalenceClaim,
    InteractionClaim,
    OrderingClaim,
    claim_statements,
    claim_subject,
)
from lesionlens.reproduction.spec import TableSpec

ClaimKind = Literal["ordering", "equivalent", "interaction", "correlates"]


class Term(NamedTuple):
    """A cell of the table with its weight in a contrast."""

    weight: float
    row: str
    column: str


Contrast = tuple[Term, ...]


@dataclass(frozen=True)
class Hypothesis:
    """A statement on contrasts of a table's cells, in the table's unit.

    Attributes
    ----------
    kind
        Kind of the claim.
    statement, subject, quote
        The statement in words, its column or row, and the claim in our words.
    contrasts
        Weighted sums of cells; the statement holds if it holds for each of them.
    sign
        Claimed sign of the contrasts, 1 or -1; 0 if they are claimed to be within ``margin`` of ``center``.
    center, margin
        Claimed value and margin of an equivalence.
    remark
        What a reader must know: that lower values are better, or the origin of the margin.
    """

    kind: ClaimKind
    statement: str
    subject: str
    quote: str
    contrasts: tuple[Contrast, ...]
    sign: Literal[-1, 0, 1] = 1
    center: float = 0
    margin: float = 0
    remark: str = ""

    @property
    def cells(self) -> tuple[tuple[str, str], ...]:
        """Rows and columns of all terms."""
        terms = itertools.chain(*self.contrasts)
        return tuple(dict.fromkeys((term.row, term.column) for term in terms))

    def support(self, value: float) -> float:
        """Return how far a value is on the claimed side, in the table's unit; negative if it is on the other."""
        return self.sign * value if self.sign else self.margin - abs(value - self.center)

    def published_value(self, spec: TableSpec) -> float:
        """Return the published value of the contrast that supports the claim least; NaN if one is missing."""
        values = [_published(spec, contrast) for contrast in self.contrasts]
        return math.nan if any(map(math.isnan, values)) else min(values, key=self.support)


def _published(spec: TableSpec, contrast: Contrast) -> float:
    values = [spec.row(term.row).published.get(term.column) for term in contrast]
    return math.fsum(
        term.weight * (published.value if published else math.nan)
        for term, published in zip(contrast, values, strict=True)
    )


def expand_claim(spec: TableSpec, claim: ClaimSpec) -> list[Hypothesis]:
    """Return the hypotheses of a claim: one per pair of an ordering that is not joint, otherwise one."""
    match claim:
        case OrderingClaim():
            return _orderings(spec, claim)
        case EquivalenceClaim():
            return [_equivalence(spec, claim)]
        case InteractionClaim():
            return [_interaction(spec, claim)]
        case _:
            return [_correlation(claim)]


def _orderings(spec: TableSpec, claim: OrderingClaim) -> list[Hypothesis]:
    pairs = [
        _pair(spec, better, worse, row=claim.row, column=claim.column)
        for better, worse in itertools.product(claim.better, claim.worse)
    ]
    lower = spec.column(claim.column or claim.better[0]).better == "lower"
    groups = [tuple(pairs)] if claim.joint else [(pair,) for pair in pairs]
    return [
        Hypothesis(
            "ordering", statement, claim_subject(claim), claim.quote, contrasts, sign=-1 if lower else 1,
            remark="lower is better" if lower else "",
        )
        for statement, contrasts in zip(claim_statements(claim), groups, strict=True)
    ]  # fmt: skip


def _equivalence(spec: TableSpec, claim: EquivalenceClaim) -> Hypothesis:
    names = trained_rows(spec) if claim.equivalent == (ALL_ROWS,) else list(claim.equivalent)
    contrasts = tuple(
        _pair(spec, first, second, row=claim.row, column=claim.column)
        for first, second in itertools.combinations(names, 2)
    )
    return Hypothesis(
        "equivalent", claim_statements(claim)[0], claim_subject(claim), claim.quote, contrasts, sign=0,
        center=claim.difference, margin=claim.margin, remark=f"margin {claim.margin:g}: {claim.margin_reason}",
    )  # fmt: skip


def _interaction(spec: TableSpec, claim: InteractionClaim) -> Hypothesis:
    columns = claim.column * (3 - len(claim.column))
    signs = [-1 if spec.column(column).better == "lower" else 1 for column in columns]
    contrast = tuple(
        Term(sign * weight, row, column)
        for sign, rows, column in zip(
            (signs[0], -signs[1]), (claim.larger_gain, claim.smaller_gain), columns, strict=True
        )
        for weight, row in zip((1.0, -1.0), rows, strict=True)
    )
    remark = "lower is better" if -1 in signs else ""
    return Hypothesis(
        "interaction",
        claim_statements(claim)[0],
        claim_subject(claim),
        claim.quote,
        (contrast,),
        remark=remark,
    )


def _correlation(claim: CorrelationClaim) -> Hypothesis:
    return Hypothesis(
        "correlates", claim_statements(claim)[0], claim_subject(claim), claim.quote,
        ((Term(1.0, claim.row, claim.column),),), sign=1 if claim.correlates == "positive" else -1,
    )  # fmt: skip


def _pair(spec: TableSpec, first: str, second: str, *, row: str, column: str) -> Contrast:
    """Return the difference of two rows in a column, or of two columns in a row or in the mean of all rows."""
    if column:
        return Term(1.0, first, column), Term(-1.0, second, column)
    rows = trained_rows(spec) if row == ALL_ROWS else [row]
    return tuple(
        Term(weight / len(rows), name, column)
        for name in rows
        for weight, column in ((1.0, first), (-1.0, second))
    )


def trained_rows(spec: TableSpec) -> list[str]:
    """Return the names of the rows that ``all`` means: trained ones of the paper, without controls that it lacks."""
    trained = [row for row in spec.rows if row.recipe]
    return [row.name for row in trained if row.published] or [row.name for row in trained]
