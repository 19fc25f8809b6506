"""The numbers of an evaluation as a page shows them, each with its interval and its meaning."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from lesionlens.evaluation.evaluation import Estimate, EvaluationResult
from lesionlens.evaluation.thresholds import positive_class
from lesionlens.evaluation.wording import MACRO_LABEL, METRIC_TITLES, UNDEFINED_SYMBOL, WEIGHTED_LABEL, display_name

MIN_LESIONS_FOR_CI = 10
REPORTED_METRICS = ("auc", "average_precision", "sensitivity", "specificity", "precision", "f1")


class MetricCell(NamedTuple):
    """A value and its interval, written."""

    value: str
    interval: str
    note: str


class HeadlineMetric(NamedTuple):
    """One number of the first look: its name, the number, its interval or why there is none, what it means."""

    title: str
    cell: MetricCell
    interval_label: str
    explanation: str


class ClassRow(NamedTuple):
    """One class, or an average over them: images, lesions and the numbers in the order of ``COLUMNS``."""

    name: str
    images: str
    lesions: str
    cells: tuple[MetricCell, ...]
    is_average: bool = False


def format_estimate(estimate: Estimate) -> MetricCell:
    """Write an estimate with three digits.

    Examples
    --------
    >>> number(Estimate("auc", "nevus", 0.87312, 0.842, 0.9009))
    Number(value='0.873', interval='0.842–0.901', note='')
    """
    if math.isnan(estimate.value):
        return MetricCell(UNDEFINED_SYMBOL, "", estimate.caveat)
    interval = "" if math.isnan(estimate.low) else f"{estimate.low:.3f}–{estimate.high:.3f}"
    return MetricCell(f"{estimate.value:.3f}", interval, estimate.caveat)


def headline_metrics(evaluation: EvaluationResult) -> tuple[HeadlineMetric, ...]:
    """Choose the numbers for the first look: two over all classes, two of melanoma or the class asked about."""
    return (*_overall_metrics(evaluation), *_class_metrics(evaluation))


def _headline_metric(
    evaluation: EvaluationResult, title: str, estimate: Estimate, *, lesions: int, explanation: str
) -> HeadlineMetric:
    """Put a number with its interval, unless that rests on too few lesions to be believed."""
    shown = format_estimate(estimate)
    if not shown.interval:
        said = "without interval"
    elif lesions < MIN_LESIONS_FOR_CI or estimate.low == estimate.high:
        said, shown = "too few lesions for an interval", shown._replace(interval="")
    else:
        said = f"{100 * evaluation.confidence:g} % interval"
    return HeadlineMetric(title, shown, said, explanation)


def _overall_metrics(evaluation: EvaluationResult) -> Iterator[HeadlineMetric]:
    auc, balanced = evaluation.estimate("auc", "macro"), evaluation.estimate("balanced_accuracy", "all")
    if not math.isnan(auc.value):
        yield _headline_metric(
            evaluation,
            "Mean AUC",
            auc,
            lesions=evaluation.n_lesions,
            explanation=f"Take one image of a class and one of another: the first gets the higher score for that class "
            f"{100 * auc.value:.0f} times in 100. Guessing gives 50.",
        )
    if not math.isnan(balanced.value):
        top = "are given it alone" if evaluation.decision == "thresholds" else "have their class on top"
        seen = sum(count > 0 for count in evaluation.support)
        yield _headline_metric(
            evaluation,
            "Balanced accuracy",
            balanced,
            lesions=evaluation.n_lesions,
            explanation=f"Of each class, on average {100 * balanced.value:.0f} in 100 images {top}. "
            f"Guessing gives {100 / max(1, seen):.0f}.",
        )


def _class_metrics(evaluation: EvaluationResult) -> Iterator[HeadlineMetric]:
    name = _class_of_interest(evaluation)
    if name is None:
        return
    found, spared = evaluation.estimate("sensitivity", name), evaluation.estimate("specificity", name)
    place = evaluation.classes.index(name)
    of, lesions = evaluation.support[place], evaluation.lesion_support[place]
    others, what = evaluation.n_images - of, display_name(name)
    taken, not_taken = _describe_decision(evaluation, name)
    if not math.isnan(found.value):
        yield _headline_metric(
            evaluation,
            f"Sensitivity, {what}",
            found,
            lesions=lesions,
            explanation=f"{round(found.value * of)} of {of} images labelled {what} {taken}.",
        )
    if not math.isnan(spared.value):
        kept = round(spared.value * others)
        yield _headline_metric(
            evaluation,
            f"Specificity, {what}",
            spared,
            lesions=evaluation.n_lesions - lesions,
            explanation=f"{others} images are labelled something else. For {kept} of them {not_taken}, as it should be. "
            f"False alarms, taken for {what}: {others - kept}.",
        )


def _describe_decision(evaluation: EvaluationResult, name: str) -> tuple[str, str]:
    """Say what it is to be taken for a class, and not to be."""
    what = display_name(name)
    if evaluation.decision == "argmax":
        return (
            f"have {what} as the class with the largest score",
            f"another class than {what} had the largest score",
        )
    if evaluation.decision == "half":
        return "have a score above 0.5 for it", f"the score of {what} was not above 0.5"
    if name not in evaluation.thresholds:
        return "reach the threshold of no other class", "the threshold of another class was reached"
    limit = f"{evaluation.thresholds[name]:.3g}"
    return f"have a score of {limit} or more for it", f"the score of {what} was below {limit}"


def _class_of_interest(evaluation: EvaluationResult) -> str | None:
    """Melanoma, or the class that is asked about where there are two."""
    if "melanoma" in evaluation.classes:
        return "melanoma"
    return positive_class(evaluation.classes) if len(evaluation.classes) == 2 else None


def class_rows(evaluation: EvaluationResult) -> tuple[ClassRow, ...]:
    """Write every class, then their mean and the mean weighted by images."""
    found = [
        ClassRow(
            display_name(name),
            f"{evaluation.support[k]:,}",
            f"{evaluation.lesion_support[k]:,}",
            tuple(format_estimate(evaluation.estimate(metric, name)) for metric in REPORTED_METRICS),
        )
        for k, name in enumerate(evaluation.classes)
    ]
    for name, of in ((MACRO_LABEL, "macro"), (WEIGHTED_LABEL, "weighted")):
        means = tuple(format_estimate(evaluation.estimate(metric, of)) for metric in REPORTED_METRICS)
        sizes = (f"{evaluation.n_images:,}", f"{evaluation.n_lesions:,}") if of == "macro" else ("", "")
        found.append(ClassRow(name, *sizes, means, is_average=True))
    return tuple(found)


def column_titles() -> tuple[str, ...]:
    """Give the headings of the columns of numbers."""
    return tuple(METRIC_TITLES[metric] for metric in REPORTED_METRICS)
