"""Metrics of a report: headline metrics with explanations, and one table row per class."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.formatting import display_name, format_interval, format_scope, format_value
from lesionlens.evaluation.metric import MACRO, OVERALL, WEIGHTED, Scope
from lesionlens.evaluation.registry import METRICS, TABULATED_METRICS
from lesionlens.evaluation.result import Estimate, EvaluationResult
from lesionlens.evaluation.thresholds import positive_class

MIN_LESIONS_FOR_CI = 10


class MetricCell(NamedTuple):
    """Formatted value, interval ("" if undefined) and caveat ("" if there is none) of an estimate."""

    value: str
    interval: str
    note: str


class HeadlineMetric(NamedTuple):
    """One metric at the top of the report.

    Attributes
    ----------
    title
        Name of the metric, and of the class if it is of one.
    cell
        Formatted value and interval.
    interval_label
        Confidence level of the interval, or why there is none.
    explanation
        Meaning of the value for a reader without a background in statistics.
    """

    title: str
    cell: MetricCell
    interval_label: str
    explanation: str


class ClassRow(NamedTuple):
    """One class, or an average over classes: its size in words, and the tabulated metrics."""

    name: str
    size: str
    cells: tuple[MetricCell, ...]
    is_average: bool = False


def format_estimate(estimate: Estimate) -> MetricCell:
    """Format an estimate with three decimals.

    Examples
    --------
    >>> format_estimate(Estimate("auc", "nevus", 0.87312, 0.842, 0.9009))
    MetricCell(value='0.873', interval='0.842–0.901', note='')
    """
    interval = "" if math.isnan(estimate.value) else format_interval(estimate.low, estimate.high)
    return MetricCell(format_value(estimate.value), interval, estimate.caveat)


def headline_metrics(evaluation: EvaluationResult) -> tuple[HeadlineMetric, ...]:
    """Return two metrics over all classes and two of melanoma or of the positive class; undefined ones are omitted."""
    return (*_overall_metrics(evaluation), *_class_metrics(evaluation))


def _headline_metric(
    evaluation: EvaluationResult, title: str, estimate: Estimate, *, lesions: int, explanation: str
) -> HeadlineMetric:
    """Format a metric, without its interval if there are too few lesions to trust it."""
    cell = format_estimate(estimate)
    if not evaluation.n_resamples:
        label = "without interval"
    elif lesions < MIN_LESIONS_FOR_CI:
        label, cell = "too few lesions for an interval", cell._replace(interval="")
    elif not cell.interval:
        label = "interval not defined"
    else:
        label = f"{100 * evaluation.confidence:g} % interval"
    return HeadlineMetric(title, cell, label, explanation)


def _overall_metrics(evaluation: EvaluationResult) -> Iterator[HeadlineMetric]:
    auc, balanced = evaluation.estimate("auc", MACRO), evaluation.estimate("balanced_accuracy", OVERALL)
    if not math.isnan(auc.value):
        yield _headline_metric(
            evaluation,
            "Mean AUC",
            auc,
            lesions=evaluation.n_lesions,
            explanation=f"Given one image of a class and one of another, the first has the higher score for that class "
            f"in {100 * auc.value:.0f} of 100 cases. Guessing gives 50.",
        )
    if not math.isnan(balanced.value):
        by_threshold = evaluation.decision == "thresholds"
        verb = "are predicted to be only of that class" if by_threshold else "have the largest score for it"
        n_present = sum(count > 0 for count in evaluation.support)
        yield _headline_metric(
            evaluation,
            METRICS["balanced_accuracy"].title,
            balanced,
            lesions=evaluation.n_lesions,
            explanation=f"On average over the classes, {100 * balanced.value:.0f} of 100 images of a class {verb}. "
            f"Guessing gives {100 / max(1, n_present):.0f}.",
        )


def _class_metrics(evaluation: EvaluationResult) -> Iterator[HeadlineMetric]:
    name = class_of_interest(evaluation)
    if name is None:
        return
    sensitivity, specificity = (
        evaluation.estimate(metric, name) for metric in ("sensitivity", "specificity")
    )
    k = evaluation.classes.index(name)
    n_positive, lesions = evaluation.support[k], evaluation.lesion_support[k]
    n_negative, title = evaluation.n_images - n_positive, display_name(name)
    predicted, not_predicted = _describe_decision(evaluation, name)
    if not math.isnan(sensitivity.value):
        yield _headline_metric(
            evaluation,
            f"Sensitivity, {title}",
            sensitivity,
            lesions=lesions,
            explanation=f"{round(sensitivity.value * n_positive)} of {n_positive} images with the label {title} "
            f"{predicted}.",
        )
    if not math.isnan(specificity.value):
        correct = round(specificity.value * n_negative)
        yield _headline_metric(
            evaluation,
            f"Specificity, {title}",
            specificity,
            lesions=evaluation.n_lesions - lesions,
            explanation=f"{n_negative} images have another label. For {correct} of them {not_predicted}, which is "
            f"correct. False positives: {n_negative - correct}.",
        )


def _describe_decision(evaluation: EvaluationResult, name: str) -> tuple[str, str]:
    """Return in words what it means that a class is predicted, and that it is not."""
    title = display_name(name)
    if evaluation.decision == "argmax":
        return (
            f"have the largest score for {title}",
            f"a class other than {title} has the largest score",
        )
    if evaluation.decision == "isic":
        return f"have a score above 0.5 for {title}", f"the score of {title} is not above 0.5"
    if name not in evaluation.thresholds:
        return "reach the threshold of no other class", "the threshold of another class is reached"
    threshold = f"{evaluation.thresholds[name]:.3g}"
    return f"have a score of {threshold} or more for {title}", f"the score of {title} is below {threshold}"


def class_of_interest(evaluation: EvaluationResult) -> str | None:
    """Return melanoma, or the positive one of two classes; None if there is neither."""
    if "melanoma" in evaluation.classes:
        return "melanoma"
    return positive_class(evaluation.classes) if len(evaluation.classes) == 2 else None


def class_rows(evaluation: EvaluationResult) -> tuple[ClassRow, ...]:
    """Return the rows of the metrics table: the classes, their mean, and their mean weighted by images."""
    sizes = map(_size_label, evaluation.support, evaluation.lesion_support)
    totals = {MACRO: _size_label(evaluation.n_images, evaluation.n_lesions), WEIGHTED: ""}
    return (
        *(
            ClassRow(display_name(name), size, _metric_cells(evaluation, name))
            for name, size in zip(evaluation.classes, sizes, strict=True)
        ),
        *(
            ClassRow(format_scope(scope), size, _metric_cells(evaluation, scope), is_average=True)
            for scope, size in totals.items()
        ),
    )


def _size_label(images: int, lesions: int) -> str:
    return f"{pluralize(images, 'image')}, {pluralize(lesions, 'lesion')}"


def _metric_cells(evaluation: EvaluationResult, scope: Scope) -> tuple[MetricCell, ...]:
    return tuple(format_estimate(evaluation.estimate(metric, scope)) for metric in TABULATED_METRICS)


def column_titles() -> tuple[str, ...]:
    """Return the titles of the metric columns."""
    return tuple(METRICS[metric].title for metric in TABULATED_METRICS)
