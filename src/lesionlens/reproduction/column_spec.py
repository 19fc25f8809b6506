"""Columns of a table: a metric, correlation or logged value of each run, or a mean or difference of other columns."""

import math
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from lesionlens.evaluation.metric import Scope
from lesionlens.evaluation.registry import METRICS, parse_scope
from lesionlens.runs.train_schema import ConfigSection


class CorrelationSpec(ConfigSection):
    """Spearman's rank correlation of two quantities in a run.

    Attributes
    ----------
    of
        Two quantities of the same kind. Of each test image with a mask: ``lesion_area`` (fraction of the image) and
        ``map_agreement`` (Pearson's correlation of two models' maps). Of each crop of each image: ``crop_weight`` and
        ``lesion_fraction`` (of the crop). Of each epoch: ``epoch`` and a column of ``metrics.csv``, such as
        ``alpha/layer4.2``.
    target_classes
        For ``map_agreement``: the two variants whose models are compared, each with the class that its map explains.
    without_means_of
        For crops: ``image`` subtracts the mean of each image from both quantities, so that crops are compared within
        an image; ``position`` also subtracts the mean of each position in the image over all images.
    """

    of: tuple[str, str]
    target_classes: dict[str, str] = Field(default_factory=dict)
    without_means_of: tuple[Literal["image", "position"], ...] = ()

    @property
    def unit(self) -> Literal["images", "crops", "epochs"]:
        """What each pair of quantities is of."""
        units: dict[frozenset[str], Literal["images", "crops"]] = {
            frozenset({"lesion_area", "map_agreement"}): "images",
            frozenset({"crop_weight", "lesion_fraction"}): "crops",
        }
        return units.get(frozenset(self.of), "epochs")

    @model_validator(mode="after")
    def _check_quantities(self) -> "CorrelationSpec":
        if self.unit == "epochs" and (self.of[0] != "epoch" or "/" not in self.of[1]):
            raise ValueError(
                f"no correlation of {self.of[0]} and {self.of[1]}: allowed are [lesion_area, map_agreement], "
                "[crop_weight, lesion_fraction] and [epoch, COLUMN] for a column with a slash, such as alpha/layer4.2"
            )
        if (self.unit == "images") != (len(self.target_classes) == 2):
            raise ValueError(
                "target_classes must name two variants with their classes, for map_agreement only"
            )
        if self.without_means_of and self.unit != "crops":
            raise ValueError("without_means_of is only for crop_weight and lesion_fraction")
        return self


class ColumnSpec(ConfigSection):
    """A column of a table: a measured metric, or a mean or difference of other columns.

    Attributes
    ----------
    name
        Heading of the column in the paper; unique in the table.
    metric, class_name
        Metric and class or aggregate (YAML key ``class``): ``auc`` of ``melanoma``, ``sensitivity`` of ``macro``,
        ``accuracy`` of ``all``, or ``auc`` of ``class:macro``, a class of that name. Metrics of the attention map
        ``map``: ``iou``, ``iou_auc``, ``pointing_game``, ``energy_pointing_game``, ``artifact_energy``,
        ``artifact_area``.
    variant
        Variant of the row whose runs are measured.
    mean_of
        Columns whose mean is computed run by run, instead of ``metric``.
    correlation
        Rank correlation that is measured in each run, instead of ``metric`` (see `CorrelationSpec`).
    logged
        Column of ``metrics.csv`` whose value in the last epoch is shown, instead of ``metric``.
    difference_of
        Two columns whose difference, first minus second, is computed run by run, instead of ``metric``.
    map
        Attention map that is compared with masks, as `evaluate_localization` names it, such as ``gate pool4`` or
        ``cam``; a row's ``maps`` takes precedence.
    images
        ``with ARTIFACT`` or ``without ARTIFACT``: only the test images that show an artifact, or do not, by the
        label file of the dataset; ``any`` is any artifact. Of metrics of a map; "": all images.
    artifact_set
        Generated set that is evaluated instead of the run's own test images (see ``TableSpec.artifact_sets``).
    crop_draws
        Number of draws of the run's random test crops whose mean is its value; 0: the crops of its own evaluation.
    spread
        Whether the value is the standard deviation over the draws instead of their mean.
    better
        Whether ``higher`` or ``lower`` values are better; "": neither.
    """

    model_config = ConfigDict(populate_by_name=True)

    name: str
    metric: str = ""
    class_name: str = Field(default="macro", alias="class")
    variant: str = ""
    correlation: CorrelationSpec | None = None
    logged: str = ""
    mean_of: tuple[str, ...] = ()
    difference_of: tuple[str, ...] = ()
    map: str = ""
    images: str = Field(default="", pattern=r"^(with(out)? .+)?$")
    artifact_set: str = ""
    crop_draws: int = Field(default=0, ge=0)
    spread: bool = False
    better: Literal["higher", "lower", ""] = "higher"

    @property
    def scope(self) -> Scope:
        """Class or aggregate of the metric, as in ``EvaluationResult``."""
        return parse_scope(self.class_name, ())

    @property
    def variants(self) -> tuple[str, ...]:
        """Variants of the row whose runs are measured; the value is that of the first one's run."""
        targets = self.correlation.target_classes if self.correlation else {}
        return tuple(targets) or (self.variant,)

    @property
    def is_fraction(self) -> bool:
        """Whether values are fractions or differences of them, which are shown in the table's unit."""
        is_unbounded = self.metric in METRICS and METRICS[self.metric].highest > 1
        return not self.correlation and not self.logged and not is_unbounded

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest possible value, as a fraction."""
        if self.difference_of or self.logged:
            return -math.inf, math.inf
        if self.metric in METRICS:
            return 0, METRICS[self.metric].highest
        return (-1, 1) if self.correlation else (0, 1)

    @property
    def measured_on(self) -> str:
        """What is measured instead of the run's evaluation split; "" if that is measured."""
        in_epochs = self.logged or (self.correlation and self.correlation.unit == "epochs")
        return "epochs" if in_epochs else self.artifact_set

    @model_validator(mode="after")
    def _check_one_definition(self) -> "ColumnSpec":
        definitions = (self.metric, self.correlation, self.logged, self.mean_of, self.difference_of)
        if sum(map(bool, definitions)) != 1:
            raise ValueError(
                f"the column {self.name}: set exactly one of metric, mean_of, difference_of, correlation and logged"
            )
        if (self.spread or self.crop_draws) and (self.crop_draws < 2 or not self.metric or self.artifact_set):
            raise ValueError(
                f"the column {self.name}: draws of test crops require a metric, crop_draws of at least 2, and no "
                "artifact_set"
            )
        if self.images and not self.map:
            raise ValueError(f"the column {self.name}: images selects images for metrics of a map; set map")
        if self.difference_of and len(self.difference_of) != 2:
            raise ValueError(f"the column {self.name}: difference_of must name two columns")
        return self
