"""Specification of a table or figure: rows, measured columns, published values and claims, as read from YAML."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lesionlens.core.errors import unknown_name_message
from lesionlens.reproduction.claim_spec import (
    ALL_ROWS,
    ClaimSpec,
    CorrelationClaim,
    claim_statements,
    claim_subject,
    names_in_claim,
)
from lesionlens.reproduction.column_spec import ColumnSpec
from lesionlens.reproduction.segmenter_spec import SegmenterSpec
from lesionlens.runs.authors_code import AUTHORS_SUFFIX
from lesionlens.runs.table_rows import DerivedRecipe, RowVariant, StrTuple, TableRow, expand_variants
from lesionlens.runs.train_schema import ConfigSection


class PublishedValue(ConfigSection):
    """A published value and its spread (None if the paper gives none), in the table's unit."""

    value: float
    spread: float | None = None


def _parse_published(value: object) -> object:
    if isinstance(value, int | float):
        return {"value": value}
    if isinstance(value, list) and len(value) == 2:
        return {"value": value[0], "spread": value[1]}
    return value


class CountSpec(ConfigSection):
    """Images of a dataset whose classes are counted.

    Attributes
    ----------
    dataset
        Name of the dataset.
    split
        Official split; "": all images.
    """

    dataset: str
    split: Literal["train", "validation", "test", ""] = ""


class RowSpec(TableRow):
    """A row of a table: its training (see `TableRow`) and its published values.

    Attributes
    ----------
    group
        Heading over rows that belong together, such as the backbone.
    reason_not_run
        Reason why the row has no recipe: quoted from other work, or not trained.
    counts
        Images whose classes are counted, in place of a training; the columns' metric is ``count``.
    published
        Published values by column: a number, or [mean, spread]; missing ones are omitted.
    maps
        Attention map of this row by column, in place of the column's.
    metrics
        Metric of this row by column, in place of the column's.
    protocol
        Protocol of the row's runs: ``paper``, or ``authors`` for that of the authors' code.
    attributes
        Texts of the table's ``attributes``; true and false are shown as ✓ and ✗.
    x_value
        Position of the row on the horizontal axis of a sweep.
    note
        Remark on the row, such as the origin of its published values.
    """

    group: str = ""
    reason_not_run: str = ""
    counts: CountSpec | None = None
    published: dict[str, Annotated[PublishedValue, BeforeValidator(_parse_published)]] = Field(
        default_factory=dict
    )
    maps: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, str] = Field(default_factory=dict)
    protocol: Literal["paper", "authors"] = "paper"
    attributes: dict[str, bool | str] = Field(default_factory=dict)
    x_value: float | None = None
    note: str = ""

    def recipe_name(self, table: str, slug: str) -> str:
        """Return the full name of a recipe of this row, as `load_recipe` takes it."""
        return f"{table}:{slug}{AUTHORS_SUFFIX if self.protocol == 'authors' else ''}"

    @model_validator(mode="after")
    def _check_one_source(self) -> "RowSpec":
        if sum(map(bool, (self.recipe, self.reason_not_run, self.counts))) != 1:
            raise ValueError(f"the row {self.name}: set either recipe, reason_not_run or counts")
        return self


FigureKind = Literal["roc", "attention-scales", "maps", "crops", "sweep", "preprocessing", "class-counts"]


class PanelSpec(ConfigSection):
    """A row of images or a curve of a figure.

    Attributes
    ----------
    row, variant
        Row of the table and its variant, whose runs are shown.
    map
        Map over the images, as `explain` names it: ``cam``, ``gradcam``, or a map of the network such as
        ``gate pool4``, ``soft`` or ``layer3``.
    target_class
        Class that a gradient map or CAM explains; "": the class of the highest score.
    raw
        Whether the map is shown without the image.
    title
        Label; "": the row's name.
    """

    row: str
    variant: str = ""
    map: str = ""
    target_class: str = ""
    raw: bool = False
    title: str = ""


class FigureSpec(ConfigSection):
    """A figure that is rendered from the runs of a table.

    Attributes
    ----------
    kind
        ``roc``: ROC curves of the panels; ``attention-scales``: scale gates over the epochs and the maps of their
        blocks; ``maps``: test images above a row of maps per panel; ``crops``: outlines of crops by weight; ``sweep``:
        a column over the rows' ``x_value``, a line per group; ``preprocessing``: images before and after
        preprocessing; ``class-counts``: a bar per class for each row with ``counts``.
    caption
        Description of the figure.
    panels
        Rows of images or curves; default: one per variant of each row.
    target
        Class of the ROC curves; column of a sweep.
    attention_scales
        Columns of ``metrics.csv`` that the kind ``attention-scales`` shows, each with its title.
    image_selection
        Selection of test images: ``classes`` (one of each class in turn), ``sizes`` (small lesions, then large ones;
        requires masks) or ``artifacts`` (with hair, bubbles and so on; requires a table of artifacts).
    count
        Number of images.
    x_label
        Label of a sweep's horizontal axis.
    """

    kind: FigureKind
    caption: Annotated[str, AfterValidator(lambda text: text if text.endswith(".") else f"{text}.")]
    panels: tuple[PanelSpec, ...] = ()
    target: str = ""
    attention_scales: dict[str, str] = Field(default_factory=dict)
    image_selection: Literal["classes", "sizes", "artifacts"] = "classes"
    count: int = Field(default=8, ge=1)
    x_label: str = ""


class PaperTestSpec(ConfigSection):
    """The significance test that the paper reports: an independent, pooled two-sample t-test, one-sided.

    Attributes
    ----------
    first, second, column
        Rows and column; the paper tests whether the first is below the second.
    significance_level
        Level of the paper's test.
    num_runs
        Number of published runs of each row, behind the published mean and standard deviation (n - 1).
    """

    first: str
    second: str
    column: str
    significance_level: float = Field(gt=0, lt=1)
    num_runs: int = Field(ge=2)


class ArtifactSet(ConfigSection):
    """A copy of the dataset in which an artifact is rendered on some images, depending on their label.

    Attributes
    ----------
    artifact
        ``ruler``, ``color_patch``, ``ink_markings``, ``hair`` or ``gel_bubbles``.
    task
        Class that the artifact is associated with; all other classes are the rest.
    rate_difference
        Fraction of the images of ``task`` with the artifact minus the fraction of the rest, -1 to 1; over all images
        it is about a half.
    seed
        Random seed of the images and of the artifact's rendering.
    """

    artifact: str
    task: str = "melanoma"
    rate_difference: float = Field(ge=-1, le=1)
    seed: int = 0


class TableSpec(ConfigSection):
    """A table or figure of a paper, or a custom one.

    Attributes
    ----------
    paper
        Key of ``PAPERS``, or ``open`` for a question that a paper leaves open.
    title, caption
        Title in the paper, and the subject in our words.
    source
        Origin of the published values.
    dataset
        Name of the dataset that the recipes use.
    unit
        Unit of published values; measured values are shown in the same unit.
    published_spread
        Meaning of the spread of published values.
    columns, rows, claims
        Contents of the table; a figure without numbers has no columns.
    variants
        Variants of each row, if it has several trainings: name -> title and overrides.
    attributes
        Text columns of the rows: name -> meaning (see ``RowSpec.attributes``).
    single_runs
        Columns whose value in every run is listed.
    paper_test
        Significance test of the paper, shown next to the claims.
    figure
        Figure that is rendered from the runs in addition to the table.
    artifact_sets
        Generated sets by name. A row trains on one by ``data.source=set:NAME``; a column is measured on one by
        ``artifact_set``.
    extra_train
        Number of training images of each class that the paper adds to the dataset, as ``data.extra_train`` does.
    segmenter
        Segmentation model whose masks the rows with ``data.mask_dir`` use; or the name of a table that has one.
    short_overrides
        ``key=value`` settings on top of the profile ``short``.
    differences
        Differences from the paper, and what the paper leaves open.
    """

    paper: str
    title: str
    caption: str
    source: str
    dataset: str
    unit: Literal["fraction", "percent", "count"] = "fraction"
    published_spread: str = ""
    columns: tuple[ColumnSpec, ...] = ()
    rows: tuple[RowSpec, ...]
    variants: dict[str, RowVariant] = Field(default_factory=dict)
    claims: tuple[ClaimSpec, ...] = ()
    attributes: dict[str, str] = Field(default_factory=dict)
    single_runs: StrTuple = ()
    paper_test: PaperTestSpec | None = None
    figure: FigureSpec | None = None
    artifact_sets: dict[str, ArtifactSet] = Field(default_factory=dict)
    extra_train: dict[str, int] = Field(default_factory=dict)
    segmenter: SegmenterSpec | str | None = None
    short_overrides: StrTuple = ()
    differences: StrTuple = ()

    def row(self, name: str) -> RowSpec:
        """Return the row of this name."""
        return next(row for row in self.rows if row.name == name)

    def column(self, name: str) -> ColumnSpec:
        """Return the column of this name."""
        return next(column for column in self.columns if column.name == name)

    def measured_column(self, row: str, name: str) -> ColumnSpec:
        """Return a column with the metric and the map that a row measures in it."""
        column, row_spec = self.column(name), self.row(row)
        map_name, metric = row_spec.maps.get(name, column.map), row_spec.metrics.get(name, column.metric)
        return column.model_copy(update={"map": map_name, "metric": metric})

    def scale(self, column: str) -> float:
        """Return the factor from the values of a column to the table's unit: 100 for fractions in percent."""
        column_spec = self.column(column)
        parts = (*column_spec.mean_of, *column_spec.difference_of)
        if parts:
            return self.scale(parts[0])
        return 100 if self.unit == "percent" and column_spec.is_fraction else 1

    def recipes_of(self, row: RowSpec) -> dict[str, DerivedRecipe]:
        """Return the recipe of each variant of a row; empty if the row is not trained."""
        return expand_variants(row, self.variants)

    @model_validator(mode="after")
    def _check_names(self) -> "TableSpec":
        rows, columns = [row.name for row in self.rows], [column.name for column in self.columns]
        _check_unique("row", rows)
        _check_unique("row id", [row.recipe_name("", row.slug) for row in self.rows])
        _check_unique("column", columns)
        self._check_columns(columns)
        for row in self.rows:
            _check_known("column", [*row.published, *row.maps, *row.metrics], columns)
            _check_known("attribute", row.attributes, self.attributes)
        self._check_claims([*rows, ALL_ROWS], columns)
        _check_known("column", self.single_runs, columns)
        if test := self.paper_test:
            _check_known("row", [test.first, test.second], rows)
            _check_known("column", [test.column], columns)
        for panel in self.figure.panels if self.figure else ():
            _check_known("row", [panel.row], rows)
            _check_known("variant", [panel.variant], self._variant_names())
        return self

    def _check_columns(self, names: Sequence[str]) -> None:
        for column in self.columns:
            others = [name for name in names if name != column.name]
            _check_known("other column", (*column.mean_of, *column.difference_of), others)
            if not column.mean_of and not column.difference_of:
                _check_known("variant", column.variants, self._variant_names())
            if column.artifact_set:
                _check_known("artifact set", [column.artifact_set], self.artifact_sets)

    def _check_claims(self, rows: Sequence[str], columns: Sequence[str]) -> None:
        for claim in self.claims:
            row_names, column_names = names_in_claim(claim)
            _check_known("row", row_names, rows)
            _check_known("column", column_names, columns)
            if isinstance(claim, CorrelationClaim) and not self.column(claim.column).correlation:
                raise ValueError(f"the claim on {claim.column}: correlates needs a column with correlation")
        statements = [
            f"{statement}, {claim_subject(claim)}"
            for claim in self.claims
            for statement in claim_statements(claim)
        ]
        _check_unique("claim", statements)

    def _variant_names(self) -> list[str]:
        return list(self.variants) or [""]


def _check_unique(kind: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the {kind} {name} appears {names.count(name)} times; names must be unique")


def _check_known(kind: str, names: Iterable[str], allowed: Iterable[str]) -> None:
    choices = list(allowed)
    for name in names:
        if name not in choices:
            raise ValueError(unknown_name_message(kind, name, choices))
