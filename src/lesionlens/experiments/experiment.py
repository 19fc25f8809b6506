"""A table or figure of a paper as data: its rows, what is measured, what was published, what is claimed."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from lesionlens.errors import unknown_name_message
from lesionlens.experiments.figure import FigureSpec
from lesionlens.experiments.metric import ColumnSpec
from lesionlens.experiments.row import StrTuple, RowSpec
from lesionlens.training.section import ConfigSection


class OrderingClaim(ConfigSection):
    """An ordering that the paper claims: one row is better than each of others in one column.

    Attributes
    ----------
    better, worse, column
        Rows and column by name.
    quote
        Where the paper says so, and in our words what.
    """

    better: str
    worse: StrTuple
    column: str
    quote: str


class ArtifactSet(ConfigSection):
    """A copy of the data in which an artefact is painted on some images, by their label.

    Attributes
    ----------
    artifact
        ``ruler``, ``sticker``, ``ink``, ``hair`` or ``bubbles``.
    task
        A class against the rest.
    rate_difference
        Share of the class's images that get it less that of the others': -1 to 1, about a half.
    seed
        Of what is painted where.
    """

    artifact: str
    task: str = "melanoma"
    rate_difference: float = Field(ge=-1, le=1)
    seed: int = 0


class TableSpec(ConfigSection):
    """A table or figure.

    Attributes
    ----------
    paper
        A key of ``PAPERS``, or ``open`` for questions that a paper leaves.
    title, caption
        What the paper calls it, and what it is about, in our words.
    source
        Where the published numbers come from.
    dataset
        The data set that its recipes are for, by name.
    unit
        Of the published numbers; measured ones are shown in it too.
    published_spread
        What the spread of published numbers is.
    columns, rows, claims
        The table; a figure without numbers has no metrics.
    figure
        What is drawn from the runs beside the table.
    artifact_sets
        Generated sets by name, which a row takes by ``data.source=set:NAME`` and a column by ``set``.
    short_overrides
        ``key=value`` words over the profile ``short_overrides``.
    differences
        What is done otherwise than the paper does, or is not known.
    """

    paper: str
    title: str
    caption: str
    source: str
    dataset: str
    unit: Literal["fraction", "percent"] = "fraction"
    published_spread: str = ""
    columns: tuple[ColumnSpec, ...] = ()
    rows: tuple[RowSpec, ...]
    claims: tuple[OrderingClaim, ...] = ()
    figure: FigureSpec | None = None
    artifact_sets: dict[str, ArtifactSet] = Field(default_factory=dict)
    short_overrides: StrTuple = ()
    differences: StrTuple = ()

    def row(self, name: str) -> RowSpec:
        """Find a row by its name."""
        return next(row for row in self.rows if row.name == name)

    def column(self, name: str) -> ColumnSpec:
        """Find a column by its name."""
        return next(metric for metric in self.columns if metric.name == name)

    @model_validator(mode="after")
    def _check_names(self) -> "TableSpec":
        rows, columns = [row.name for row in self.rows], [metric.name for metric in self.columns]
        _check_unique("row", rows)
        _check_unique("column", columns)
        parts = {part for row in self.rows for part in row.variants}
        for metric in self.columns:
            others = [each for each in columns if each != metric.name]
            _check_known("other column", (*metric.mean_of, *metric.minus), others)
            if metric.metric:
                _check_known("part", [metric.variant], parts)
            _check_known("set", [metric.artifact_set] if metric.artifact_set else [], list(self.artifact_sets))
        for row in self.rows:
            _check_known("column", [*row.published, *row.maps], columns)
        pairs = [f"{each.better} > {other}, {each.column}" for each in self.claims for other in each.worse]
        _check_unique("claim", pairs)
        for claim in self.claims:
            _check_known("row", [claim.better, *claim.worse], rows)
            _check_known("column", [claim.column], columns)
        for panel in self.figure.panels if self.figure else ():
            _check_known("row", [panel.row], rows)
            _check_known("part", [panel.variant], self.row(panel.row).variants)
        return self


def _check_unique(kind: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the {kind} {name} is there {names.count(name)} times")


def _check_known(kind: str, names: Sequence[str], allowed: object) -> None:
    choices = [str(each) for each in allowed]  # type: ignore[attr-defined]
    for name in names:
        if name not in choices:
            raise ValueError(unknown_name_message(kind, name, choices))
