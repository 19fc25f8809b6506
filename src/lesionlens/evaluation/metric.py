"""What a classification metric is: its functions, its scopes, and when its values are undefined or rest on little."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple

from lesionlens.core.bootstrap import Interval, bias_corrected_interval, percentile_interval, remove_bias
from lesionlens.core.types import FloatArray


class Aggregate(Enum):
    """What a value summarizes in place of one class; unlike its text, it is never equal to the name of a class."""

    MACRO = "macro"  # mean over classes
    WEIGHTED = "weighted"  # mean over classes, weighted by images
    OVERALL = "all"  # all images together

    def __str__(self) -> str:
        return str(self.value)


MACRO, WEIGHTED, OVERALL = Aggregate.MACRO, Aggregate.WEIGHTED, Aggregate.OVERALL

Scope = str | Aggregate
"""A class by its name, or an aggregate."""

MetricKey = tuple[str, Scope]
"""Name of a metric and its scope."""

Requirement = Literal["positives", "negatives", "predictions", "negative_predictions"]
"""Images without which a class's value is undefined: of the class, of another class, predicted to be of the class, and
predicted not to be of it."""

_UNDEFINED_WITHOUT: dict[Requirement, str] = {
    "positives": "no image of this class",
    "negatives": "no image of another class",
    "predictions": "no image is predicted to be of this class",
    "negative_predictions": "every image is predicted to be of this class",
}


class Average(NamedTuple):
    """An average of a metric over classes.

    Attributes
    ----------
    scope
        The average: `Aggregate.MACRO` or `Aggregate.WEIGHTED`.
    weights
        Count by which classes are weighted, "support" or "predicted_positive"; "" weights all classes equally.
    """

    scope: Aggregate
    weights: str = ""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One classification metric.

    Attributes
    ----------
    name
        Name in files, recipes and on the command line.
    title
        Name in tables, figures and reports.
    kind
        "ranking": needs only scores; "decision": needs a predicted class; "overall": of all images together;
        "probability": how far the scores are frequencies.
    definition
        Formula or short description, as in the documentation.
    class_function
        Values of each class: from a `ThresholdSweep`, (…,), for kind "ranking", from `ConfusionCounts`, (…, k), for
        kind "decision", and from `ScoredImages` and weights, (…, k), for kind "probability"; None for a metric without
        a value per class.
    overall_function
        Value of all images together, from (positive, correct, weights), (…,); None for a metric without one.
    probability_function
        Value of all images together, from `ScoredImages` and weights, (…,), for kind "probability".
    field
        Field of `Predictions` without which the metric does not exist: ``calibrated_scores`` or ``prediction_sets``.
    highest
        Highest possible value; the lowest is 0.
    averages
        Averages over classes that exist.
    averaged_metric
        Metric whose class values are averaged; default: this metric.
    requires
        Images without which a class's value is undefined.
    abbreviation
        Short title for the panels of a figure; default: the title.
    paper_names
        Names of the metric in the reimplemented papers.
    is_biased_in_resamples
        Whether resampled values are too large on average (see `lesionlens.core.bootstrap.remove_bias`).
    is_tabulated
        Whether tables and reports have a column for it.
    is_compared_over_classes
        Whether comparisons of models with three or more classes include its macro average by default.
    """

    name: str
    title: str
    kind: Literal["ranking", "decision", "overall", "probability"]
    definition: str
    class_function: Callable[..., FloatArray] | None = None
    overall_function: Callable[..., FloatArray] | None = None
    probability_function: Callable[..., FloatArray] | None = None
    field: str = ""
    highest: float = 1.0
    averages: tuple[Average, ...] = ()
    averaged_metric: str = ""
    requires: tuple[Requirement, ...] = ()
    abbreviation: str = ""
    paper_names: str = ""
    is_biased_in_resamples: bool = False
    is_tabulated: bool = False
    is_compared_over_classes: bool = False

    @property
    def averaged(self) -> str:
        """Name of the metric whose class values are averaged."""
        return self.averaged_metric or self.name

    @property
    def short_title(self) -> str:
        """Abbreviation, or the title if there is none."""
        return self.abbreviation or self.title

    @property
    def depends_on_class_images(self) -> bool:
        """Whether the precision of a class's value is limited by the number of images of that class."""
        return bool({"positives", "predictions"} & set(self.requires))

    def undefined_reason(self, *, n_positive: int, n_negative: int) -> str:
        """Return why the value of a class is undefined, given its images and those of other classes."""
        counts = {"positives": n_positive, "negatives": n_negative}
        missing = (requirement for requirement in self.requires if not counts.get(requirement, 0))
        return _UNDEFINED_WITHOUT[next(missing, "predictions")]

    def unvaried_reason(self, *, n_lesions: int, n_other_lesions: int) -> str:
        """Return why the value of a class cannot vary over lesions, given those of the class and of others; or ""."""
        if self.depends_on_class_images and n_lesions == 1:
            return "only one lesion of this class: there is no interval"
        if "negatives" in self.requires and n_other_lesions == 1:
            return "only one lesion of another class: there is no interval"
        return ""

    def is_average(self, scope: Scope) -> bool:
        """Return whether the value of a scope is an average over classes."""
        return scope in {average.scope for average in self.averages} or (
            scope is OVERALL and self.averaged != self.name
        )

    def interval(self, value: FloatArray, resampled: FloatArray, *, confidence: float) -> Interval:
        """Return the interval of a value from its resampled values, (r,)."""
        if self.is_biased_in_resamples:
            return bias_corrected_interval(value, resampled, confidence=confidence)
        return percentile_interval(resampled, confidence=confidence)

    def resampled_differences(self, difference: float, resampled: FloatArray) -> FloatArray:
        """Return resampled differences of two values, (r,), without bias."""
        return remove_bias(resampled, difference) if self.is_biased_in_resamples else resampled

    @property
    def lower_is_better(self) -> bool:
        """Whether a lower value is better."""
        return self.kind == "probability" and self.name != "set_coverage"

    @property
    def has_overall_value(self) -> bool:
        """Whether the metric has a value for all images together."""
        return bool(self.overall_function or self.probability_function)

    @property
    def default_scope(self) -> Scope:
        """All images if the metric has a value for them, otherwise its first average."""
        return OVERALL if self.has_overall_value else self.averages[0].scope

    def scopes(self, classes: Iterable[str] = ()) -> tuple[Scope, ...]:
        """Return the scopes in which the metric is reported for predictions of these classes."""
        per_class = tuple(classes) if self.class_function else ()
        overall = (OVERALL,) if self.has_overall_value else ()
        return (*per_class, *(average.scope for average in self.averages), *overall)
