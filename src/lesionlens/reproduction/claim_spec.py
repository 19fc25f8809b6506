"""Claims of a table as read from YAML: orderings, equivalences, interactions and correlations.

The kind follows from the keys: ``better`` and ``worse``, ``equivalent``, ``larger_gain`` and ``smaller_gain``, or
``correlates``. Differences and margins are in the table's unit.
"""

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from lesionlens.runs.table_rows import StrTuple
from lesionlens.runs.train_schema import ConfigSection

ALL_ROWS = "all"  # in place of a row: the mean of the paper's trained rows, or each of them


class OrderingClaim(ConfigSection):
    """A row leads other rows in a column; or, with ``row``, a column leads other columns of that row.

    Attributes
    ----------
    better, worse
        Names of rows, one or several; with ``row``, of columns.
    column
        Column in which rows are compared.
    row
        Row whose columns are compared; ``all``: the mean of the paper's trained rows.
    joint
        Whether to test once that all of ``better`` lead all of ``worse``, instead of one claim per pair.
    quote
        Section of the paper, and the claim in our words.
    """

    better: StrTuple
    worse: StrTuple
    column: str = ""
    row: str = ""
    joint: bool = False
    quote: str

    @model_validator(mode="after")
    def _check_subject(self) -> "OrderingClaim":
        _check_row_or_column(self.row, self.column)
        if not self.better or not self.worse:
            raise ValueError("better and worse must each name a row, or with row a column")
        _check_not_all(self.better + self.worse)
        for name in self.better:
            if name in self.worse:
                raise ValueError(f"{name!r} is in better and in worse; remove it from one of them")
        return self


class EquivalenceClaim(ConfigSection):
    """Rows differ by less than a margin in a column; or, with ``row``, columns of that row do.

    Attributes
    ----------
    equivalent
        Names of two or more rows, or ``all``; with ``row``, of columns. Of more than two, each pair is meant.
    column, row
        As of `OrderingClaim`.
    difference
        Claimed difference of two names, first minus second; default 0.
    margin
        Largest deviation from ``difference`` that counts as none.
    margin_reason
        Origin of the margin.
    quote
        Section of the paper, and the claim in our words.
    """

    equivalent: StrTuple
    column: str = ""
    row: str = ""
    difference: float = 0
    margin: float = Field(gt=0)
    margin_reason: str
    quote: str

    @model_validator(mode="after")
    def _check_subject(self) -> "EquivalenceClaim":
        _check_row_or_column(self.row, self.column)
        every_row = self.equivalent == (ALL_ROWS,) and not self.row
        if len(self.equivalent) < 2 and not every_row:
            raise ValueError("equivalent must name two or more rows (or all), or two or more columns of row")
        if not every_row:
            _check_not_all(self.equivalent)
        if len(set(self.equivalent)) < len(self.equivalent):
            raise ValueError(f"equivalent names {_first_repeated(self.equivalent)!r} twice; remove one")
        if self.difference and len(self.equivalent) != 2:
            raise ValueError("difference needs exactly two names in equivalent")
        return self


class InteractionClaim(ConfigSection):
    """The difference of two rows is larger than that of two other rows, or than that of the same rows elsewhere.

    Attributes
    ----------
    larger_gain, smaller_gain
        Two rows each, first minus second. In a column whose lower values are better, a gain is a fall.
    column
        Column of both differences; or two columns, that of each difference.
    quote
        Section of the paper, and the claim in our words.
    """

    larger_gain: tuple[str, str]
    smaller_gain: tuple[str, str]
    column: StrTuple
    quote: str

    @model_validator(mode="after")
    def _check_columns(self) -> "InteractionClaim":
        if len(self.column) not in (1, 2):
            raise ValueError(
                f"column names {len(self.column)} columns; allowed are one for both gains, or two"
            )
        for name, (first, second) in (("larger_gain", self.larger_gain), ("smaller_gain", self.smaller_gain)):
            if first == second:
                raise ValueError(f"{name} names {first!r} twice; a gain is of one row over another")
        _check_not_all(self.larger_gain + self.smaller_gain)
        if self.larger_gain == self.smaller_gain and len(set(self.column)) == 1:
            raise ValueError("larger_gain and smaller_gain are the same; name other rows, or two columns")
        return self


class CorrelationClaim(ConfigSection):
    """A rank correlation that a column measures in the runs of a row has a sign.

    Attributes
    ----------
    correlates
        Claimed sign: ``positive`` or ``negative``.
    row, column
        Row, and column that measures the rank correlation.
    quote
        Section of the paper, and the claim in our words.
    """

    correlates: Literal["positive", "negative"]
    row: str
    column: str
    quote: str

    @model_validator(mode="after")
    def _check_row(self) -> "CorrelationClaim":
        _check_not_all((self.row,))
        return self


_KINDS = {
    "equivalent": "equivalent",
    "larger_gain": "interaction",
    "smaller_gain": "interaction",
    "correlates": "correlates",
}


def _claim_kind(value: Any) -> str:
    """Return the tag of a claim's model, from the keys that only this kind has."""
    keys = value if isinstance(value, Mapping) else getattr(type(value), "model_fields", ())
    return next((kind for key, kind in _KINDS.items() if key in keys), "ordering")


CLAIM_MODELS: dict[str, type[ConfigSection]] = {
    "ordering": OrderingClaim,
    "equivalent": EquivalenceClaim,
    "interaction": InteractionClaim,
    "correlates": CorrelationClaim,
}
ClaimSpec = Annotated[
    Annotated[OrderingClaim, Tag("ordering")]
    | Annotated[EquivalenceClaim, Tag("equivalent")]
    | Annotated[InteractionClaim, Tag("interaction")]
    | Annotated[CorrelationClaim, Tag("correlates")],
    Discriminator(_claim_kind),
]


def names_in_claim(claim: ClaimSpec) -> tuple[list[str], list[str]]:
    """Return the names of the rows and of the columns in a claim."""
    match claim:
        case OrderingClaim(row=""):
            return [*claim.better, *claim.worse], [claim.column]
        case OrderingClaim():
            return [claim.row], [*claim.better, *claim.worse]
        case EquivalenceClaim(row=""):
            return list(claim.equivalent), [claim.column]
        case EquivalenceClaim():
            return [claim.row], list(claim.equivalent)
        case InteractionClaim():
            return [*claim.larger_gain, *claim.smaller_gain], list(claim.column)
        case _:
            return [claim.row], [claim.column]


def claim_statements(claim: ClaimSpec) -> list[str]:
    """Return each tested statement of a claim in words."""
    match claim:
        case OrderingClaim():
            verb = "above" if claim.row else "better than"
            if claim.joint:
                return [f"{_join_names(claim.better, 'Each of')} {verb} {_join_names(claim.worse)}"]
            return [
                f"{better} {verb} {worse}" for better, worse in itertools.product(claim.better, claim.worse)
            ]
        case EquivalenceClaim():
            if claim.difference:
                first, second = claim.equivalent
                return [f"{first} minus {second} equal to {claim.difference:g}, within {claim.margin:g}"]
            names = "All rows" if claim.equivalent == (ALL_ROWS,) else " and ".join(claim.equivalent)
            return [f"{names} equivalent, within {claim.margin:g}"]
        case InteractionClaim():
            gains = [" over ".join(rows) for rows in (claim.larger_gain, claim.smaller_gain)]
            if len(claim.column) == 1:
                return [f"Gain of {gains[0]} larger than of {gains[1]}"]
            if gains[0] == gains[1]:
                return [f"Gain of {gains[0]} larger in {claim.column[0]} than in {claim.column[1]}"]
            return [f"Gain of {gains[0]} in {claim.column[0]} larger than of {gains[1]} in {claim.column[1]}"]
        case _:
            return [f"{claim.correlates.capitalize()} rank correlation"]


def _join_names(names: tuple[str, ...], quantifier: str = "each of") -> str:
    return names[0] if len(names) == 1 else f"{quantifier} {', '.join(names)}"


def claim_subject(claim: ClaimSpec) -> str:
    """Return the column of a claim, or the row whose columns it compares."""
    if isinstance(claim, InteractionClaim):
        return " and ".join(claim.column)
    if isinstance(claim, CorrelationClaim):
        return f"{claim.column}, {claim.row}"
    return claim.column or ("mean of all rows" if claim.row == ALL_ROWS else claim.row)


def _check_row_or_column(row: str, column: str) -> None:
    if bool(row) == bool(column):
        raise ValueError("set either column, to compare rows, or row, to compare its columns")


def _check_not_all(names: tuple[str, ...]) -> None:
    if ALL_ROWS in names:
        raise ValueError(f"{ALL_ROWS} cannot be one of the names here; list the names")


def _first_repeated(names: tuple[str, ...]) -> str:
    return next(name for name in names if names.count(name) > 1)
