"""A table or figure of a paper as data: its rows, what is measured, what was published, what is claimed."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from lesionlens.errors import unknown
from lesionlens.experiments.figure import Figure
from lesionlens.experiments.metric import Metric
from lesionlens.experiments.row import Names, Row
from lesionlens.training.section import Section


class Claim(Section):
    """An ordering that the paper claims: one row is better than each of others in one column.

    Attributes
    ----------
    better, than, metric
        Rows and column by name.
    said
        Where the paper says so, and in our words what.
    """

    better: str
    than: Names
    metric: str
    said: str


class Planted(Section):
    """A copy of the data in which an artefact is painted on some images, by their label.

    Attributes
    ----------
    artefact
        ``ruler``, ``sticker``, ``ink``, ``hair`` or ``bubbles``.
    task
        A class against the rest.
    association
        Share of the class's images that get it less that of the others': -1 to 1, about a half.
    seed
        Of what is painted where.
    """

    artefact: str
    task: str = "melanoma"
    association: float = Field(ge=-1, le=1)
    seed: int = 0


class Experiment(Section):
    """A table or figure.

    Attributes
    ----------
    paper
        A key of ``PAPERS``, or ``open`` for questions that a paper leaves.
    title, caption
        What the paper calls it, and what it is about, in our words.
    source
        Where the published numbers come from.
    data
        The data set that its recipes are for, by name.
    unit
        Of the published numbers; measured ones are shown in it too.
    spread
        What the spread of published numbers is.
    metrics, rows, claims
        The table; a figure without numbers has no metrics.
    figure
        What is drawn from the runs beside the table.
    sets
        Generated sets by name, which a row takes by ``data.source=set:NAME`` and a column by ``set``.
    short
        ``key=value`` words over the profile ``short``.
    departures
        What is done otherwise than the paper does, or is not known.
    """

    paper: str
    title: str
    caption: str
    source: str
    data: str
    unit: Literal["fraction", "percent"] = "fraction"
    spread: str = ""
    metrics: tuple[Metric, ...] = ()
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...] = ()
    figure: Figure | None = None
    sets: dict[str, Planted] = Field(default_factory=dict)
    short: Names = ()
    departures: Names = ()

    def row(self, name: str) -> Row:
        """Find a row by its name."""
        return next(row for row in self.rows if row.name == name)

    def metric(self, name: str) -> Metric:
        """Find a column by its name."""
        return next(metric for metric in self.metrics if metric.name == name)

    @model_validator(mode="after")
    def _names_are_known(self) -> "Experiment":
        rows, columns = [row.name for row in self.rows], [metric.name for metric in self.metrics]
        _all_different("row", rows)
        _all_different("column", columns)
        parts = {part for row in self.rows for part in row.parts}
        for metric in self.metrics:
            others = [each for each in columns if each != metric.name]
            _known("other column", (*metric.mean_of, *metric.less), others)
            if metric.metric:
                _known("part", [metric.part], parts)
            _known("set", [metric.set] if metric.set else [], list(self.sets))
        for row in self.rows:
            _known("column", [*row.published, *row.maps], columns)
        pairs = [f"{each.better} > {other}, {each.metric}" for each in self.claims for other in each.than]
        _all_different("claim", pairs)
        for claim in self.claims:
            _known("row", [claim.better, *claim.than], rows)
            _known("column", [claim.metric], columns)
        for panel in self.figure.panels if self.figure else ():
            _known("row", [panel.row], rows)
            _known("part", [panel.part], self.row(panel.row).parts)
        return self


def _all_different(kind: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the {kind} {name} is there {names.count(name)} times")


def _known(kind: str, names: Sequence[str], allowed: object) -> None:
    choices = [str(each) for each in allowed]  # type: ignore[attr-defined]
    for name in names:
        if name not in choices:
            raise ValueError(unknown(kind, name, choices))
