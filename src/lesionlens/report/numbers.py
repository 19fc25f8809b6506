"""The numbers of an evaluation as a page shows them, each with its interval and its meaning."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from lesionlens.evaluation.evaluation import Estimate, Evaluation
from lesionlens.evaluation.wording import TITLES, UNDEFINED, readable

COLUMNS = ("auc", "average_precision", "sensitivity", "specificity", "precision", "f1")


class Number(NamedTuple):
    """A value and its interval, written."""

    value: str
    interval: str
    note: str


class Headline(NamedTuple):
    """One number of the first look: its name, the number, what it means in a sentence."""

    title: str
    number: Number
    meaning: str


class Row(NamedTuple):
    """One class, or the mean of all: images, lesions and the numbers in the order of ``COLUMNS``."""

    name: str
    images: str
    lesions: str
    numbers: tuple[Number, ...]


def number(estimate: Estimate) -> Number:
    """Write an estimate with three digits.

    Examples
    --------
    >>> number(Estimate("auc", "nevus", 0.87312, 0.842, 0.9009))
    Number(value='0.873', interval='0.842–0.901', note='')
    """
    if math.isnan(estimate.value):
        return Number(UNDEFINED, "", estimate.note)
    interval = "" if math.isnan(estimate.low) else f"{estimate.low:.3f}–{estimate.high:.3f}"
    return Number(f"{estimate.value:.3f}", interval, estimate.note)


def headlines(evaluation: Evaluation) -> tuple[Headline, ...]:
    """Choose the numbers for the first look: two over all classes, two of melanoma or the class asked about."""
    return (*_overall(evaluation), *_one_class(evaluation))


def _overall(evaluation: Evaluation) -> Iterator[Headline]:
    auc, balanced = evaluation.estimate("auc", "macro"), evaluation.estimate("balanced_accuracy", "all")
    if not math.isnan(auc.value):
        yield Headline(
            "Mean AUC",
            number(auc),
            f"Take one image of a class and one of another: the first gets the higher score for that class "
            f"{100 * auc.value:.0f} times in 100. Guessing gives 50.",
        )
    if not math.isnan(balanced.value):
        seen = sum(count > 0 for count in evaluation.support)
        yield Headline(
            "Balanced accuracy",
            number(balanced),
            f"Of each class, on average {100 * balanced.value:.0f} in 100 images have their class on top. "
            f"Guessing gives {100 / max(1, seen):.0f}.",
        )


def _one_class(evaluation: Evaluation) -> Iterator[Headline]:
    name = _of_interest(evaluation)
    if name is None:
        return
    found, spared = evaluation.estimate("sensitivity", name), evaluation.estimate("specificity", name)
    of = evaluation.support[evaluation.classes.index(name)]
    others, what = evaluation.images - of, readable(name)
    largest = evaluation.decision == "argmax"
    if not math.isnan(found.value):
        means = (
            f"have {what} as the class with the largest score" if largest else "have a score above 0.5 for it"
        )
        yield Headline(
            f"Sensitivity, {what}",
            number(found),
            f"{round(found.value * of)} of {of} images labelled {what} {means}.",
        )
    if not math.isnan(spared.value):
        means = "have another class on top" if largest else f"have no score above 0.5 for {what}"
        yield Headline(
            f"Specificity, {what}",
            number(spared),
            f"{round(spared.value * others)} of {others} images of other classes {means}.",
        )


def _of_interest(evaluation: Evaluation) -> str | None:
    """Melanoma, or the class that is asked about where there are two."""
    if "melanoma" in evaluation.classes:
        return "melanoma"
    return evaluation.classes[1] if len(evaluation.classes) == 2 else None


def rows(evaluation: Evaluation) -> tuple[Row, ...]:
    """Write every class, then the mean of the classes."""
    found = [
        Row(
            readable(name),
            f"{evaluation.support[k]:,}",
            f"{evaluation.lesion_support[k]:,}",
            tuple(number(evaluation.estimate(metric, name)) for metric in COLUMNS),
        )
        for k, name in enumerate(evaluation.classes)
    ]
    means = tuple(number(evaluation.estimate(metric, "macro")) for metric in COLUMNS)
    total = Row("mean of classes", f"{evaluation.images:,}", f"{evaluation.lesions:,}", means)
    return (*found, total)


def titles() -> tuple[str, ...]:
    """Give the headings of the columns of numbers."""
    return tuple(TITLES[metric] for metric in COLUMNS)
