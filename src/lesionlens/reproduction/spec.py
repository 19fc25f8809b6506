"""A table or figure of a paper as data: its rows, what is measured, what was published, what is claimed."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from lesionlens.core.errors import unknown_name_message
from lesionlens.runs.schema import ConfigSection
from lesionlens.runs.table_rows import DerivedRecipe, RowVariant, StrTuple, TableRow, expand_variants


class PublishedValue(ConfigSection):
    """A published number: its value and, where the paper gives one, its spread; both in the table's unit."""

    value: float
    spread: float | None = None


def _parse_published(value: object) -> object:
    if isinstance(value, int | float):
        return {"value": value}
    if isinstance(value, list) and len(value) == 2:
        return {"value": value[0], "spread": value[1]}
    return value


class RowSpec(TableRow):
    """A row of a table: its training (see `TableRow`), and what is known of it.

    Attributes
    ----------
    group
        Heading over rows that belong together, such as the backbone.
    reason_not_run
        Reason why the row has no recipe: quoted from other work, or not trained.
    published
        Published values by column: a number, or [mean, spread]; missing ones are left out.
    maps
        Attention map of this row by column, in place of the column's.
    x_value
        Position of the row on the horizontal axis of a sweep.
    note
        Remark on the row, such as the origin of its published values.
    """

    group: str = ""
    reason_not_run: str = ""
    published: dict[str, Annotated[PublishedValue, BeforeValidator(_parse_published)]] = Field(
        default_factory=dict
    )
    maps: dict[str, str] = Field(default_factory=dict)
    x_value: float | None = None
    note: str = ""

    @model_validator(mode="after")
    def _check_one_source(self) -> "RowSpec":
        if bool(self.recipe) == bool(self.reason_not_run):
            raise ValueError(f"the row {self.name}: give either recipe or reason_not_run")
        return self


class ColumnSpec(ConfigSection):
    """One column.

    Attributes
    ----------
    name
        Its head, as the paper has it; different for each column.
    metric, class_name
        As in ``EvaluationResult``: ``auc`` of ``melanoma``, ``sensitivity`` of ``macro`` (the key is ``class``); or of
        maps: ``iou``, ``iou_auc``, ``pointing_game`` or ``energy_pointing_game``, of the map ``map``.
    variant
        Which of a row's runs, where it has several.
    mean_of
        In place of ``metric``: the mean of these other columns, run by run.
    minus
        In place of ``metric``: the first of these two columns less the second, run by run.
    map
        The map that is measured against lesion masks, as `evaluate_localization` names it, such as ``gate pool4`` or
        ``cam``; a row's own ``maps`` goes before it.
    artifact_set
        The generated set that is scored in place of the run's own test images (see ``TableSpec.artifact_sets``).
    better
        Which way is better.
    """

    model_config = ConfigDict(populate_by_name=True)

    name: str
    metric: str = ""
    class_name: str = Field(default="macro", alias="class")
    variant: str = ""
    mean_of: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    map: str = ""
    artifact_set: str = ""
    better: Literal["higher", "lower", ""] = "higher"

    @model_validator(mode="after")
    def _check_one_definition(self) -> "ColumnSpec":
        if sum(map(bool, (self.metric, self.mean_of, self.minus))) != 1:
            raise ValueError(f"the column {self.name}: give one of metric, mean_of and minus")
        if self.minus and len(self.minus) != 2:
            raise ValueError(f"the column {self.name}: minus takes two columns")
        return self


FigureKind = Literal["roc", "attention-scales", "maps", "crops", "sweep", "preprocessing"]


class PanelSpec(ConfigSection):
    """One line of pictures or one curve: which run's, and what of it.

    Attributes
    ----------
    row, variant
        Of the experiment.
    map
        What is drawn, as `explain` calls it: ``cam``, ``gradcam``, or a map of the network's own such as
        ``gate pool4``, ``soft`` or ``layer3``.
    target_class
        The class that a gradient map or CAM explains; "": the largest score.
    title
        What stands beside it; "": the row's name.
    """

    row: str
    variant: str = ""
    map: str = ""
    target_class: str = ""
    title: str = ""


class FigureSpec(ConfigSection):
    """A figure.

    Attributes
    ----------
    kind
        ``roc``: curves of the panels' rows; ``attention-scales``: scale gates over the epochs and the maps of their
        blocks; ``maps``: images over one line of maps for each panel; ``crops``: frames of crops by weight; ``sweep``:
        a column over the rows' ``x_value``, a line for each group; ``preprocessing``: images before and after what is
        done to them.
    caption
        What is to be seen.
    panels
        Lines of it.
    target
        The class of a ROC curve; the column of a sweep.
    attention_scales
        Of the figure of this kind: column of ``metrics.csv`` -> its title.
    image_selection
        How test images are chosen: ``classes`` (one of each class in turn), ``sizes`` (small lesions, then large
        ones; where masks tell) or ``artifacts`` (with hair, bubbles and so on; where they are known).
    count
        How many images.
    x_label
        What a sweep's horizontal axis is called.
    """

    kind: FigureKind
    caption: Annotated[str, AfterValidator(lambda text: text if text.endswith(".") else f"{text}.")]
    panels: tuple[PanelSpec, ...] = ()
    target: str = ""
    attention_scales: dict[str, str] = Field(default_factory=dict)
    image_selection: Literal["classes", "sizes", "artifacts"] = "classes"
    count: int = Field(default=8, ge=1)
    x_label: str = ""


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
    """A copy of the data in which an artifact is painted on some images, by their label.

    Attributes
    ----------
    artifact
        ``ruler``, ``color_patch``, ``ink_markings``, ``hair`` or ``gel_bubbles``.
    task
        A class against the rest.
    rate_difference
        Fraction of the class's images that get it less that of the others': -1 to 1, about a half.
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
        The table; a figure without numbers has no columns.
    variants
        Trainings of each row, if it has several: variant -> its title and overrides.
    figure
        What is drawn from the runs beside the table.
    artifact_sets
        Generated sets by name, which a row takes by ``data.source=set:NAME`` and a column by ``artifact_set``.
    short_overrides
        ``key=value`` words over the profile ``short``.
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
    variants: dict[str, RowVariant] = Field(default_factory=dict)
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

    def recipes_of(self, row: RowSpec) -> dict[str, DerivedRecipe]:
        """Return the recipe of each variant of a row; empty if the row is not trained."""
        return expand_variants(row, self.variants)

    @model_validator(mode="after")
    def _check_names(self) -> "TableSpec":
        rows, columns = [row.name for row in self.rows], [metric.name for metric in self.columns]
        _check_unique("row", rows)
        _check_unique("column", columns)
        _check_unique("row id", [row.slug for row in self.rows])
        variants = self.variants or {"": None}
        for metric in self.columns:
            others = [each for each in columns if each != metric.name]
            _check_known("other column", (*metric.mean_of, *metric.minus), others)
            if metric.metric:
                _check_known("variant", [metric.variant], variants)
            _check_known(
                "artifact set", [metric.artifact_set] if metric.artifact_set else [], list(self.artifact_sets)
            )
        for row in self.rows:
            _check_known("column", [*row.published, *row.maps], columns)
        pairs = [f"{each.better} > {other}, {each.column}" for each in self.claims for other in each.worse]
        _check_unique("claim", pairs)
        for claim in self.claims:
            _check_known("row", [claim.better, *claim.worse], rows)
            _check_known("column", [claim.column], columns)
        for panel in self.figure.panels if self.figure else ():
            _check_known("row", [panel.row], rows)
            _check_known("variant", [panel.variant], variants)
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
