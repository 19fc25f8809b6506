"""The numbers of an evaluation as a page shows them, each with its interval and its meaning."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from lesionlens.evaluation.evaluation import Estimate, Evaluation
from lesionlens.evaluation.thresholds import sought
from lesionlens.evaluation.wording import MEAN, TITLES, UNDEFINED, WEIGHTED_MEAN, readable

FEW_LESIONS = 10
COLUMNS = ("auc", "average_precision", "sensitivity", "specificity", "precision", "f1")


class Number(NamedTuple):
    """A value and its interval, written."""

    value: str
    interval: str
    note: str


class Headline(NamedTuple):
    """One number of the first look: its name, the number, its interval or why there is none, what it means."""

    title: str
    number: Number
    interval: str
    meaning: str


class Row(NamedTuple):
    """One class, or an average over them: images, lesions and the numbers in the order of ``COLUMNS``."""

    name: str
    images: str
    lesions: str
    numbers: tuple[Number, ...]
    average: bool = False


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


def _headline(
    evaluation: Evaluation, title: str, estimate: Estimate, *, lesions: int, meaning: str
) -> Headline:
    """Put a number with its interval, unless that rests on too few lesions to be believed."""
    shown = number(estimate)
    if not shown.interval:
        said = "without interval"
    elif lesions < FEW_LESIONS or estimate.low == estimate.high:
        said, shown = "too few lesions for an interval", shown._replace(interval="")
    else:
        said = f"{100 * evaluation.confidence:g} % interval"
    return Headline(title, shown, said, meaning)


def _overall(evaluation: Evaluation) -> Iterator[Headline]:
    auc, balanced = evaluation.estimate("auc", "macro"), evaluation.estimate("balanced_accuracy", "all")
    if not math.isnan(auc.value):
        yield _headline(
            evaluation,
            "Mean AUC",
            auc,
            lesions=evaluation.lesions,
            meaning=f"Take one image of a class and one of another: the first gets the higher score for that class "
            f"{100 * auc.value:.0f} times in 100. Guessing gives 50.",
        )
    if not math.isnan(balanced.value):
        top = "are given it alone" if evaluation.decision == "thresholds" else "have their class on top"
        seen = sum(count > 0 for count in evaluation.support)
        yield _headline(
            evaluation,
            "Balanced accuracy",
            balanced,
            lesions=evaluation.lesions,
            meaning=f"Of each class, on average {100 * balanced.value:.0f} in 100 images {top}. "
            f"Guessing gives {100 / max(1, seen):.0f}.",
        )


def _one_class(evaluation: Evaluation) -> Iterator[Headline]:
    name = _of_interest(evaluation)
    if name is None:
        return
    found, spared = evaluation.estimate("sensitivity", name), evaluation.estimate("specificity", name)
    place = evaluation.classes.index(name)
    of, lesions = evaluation.support[place], evaluation.lesion_support[place]
    others, what = evaluation.images - of, readable(name)
    taken, not_taken = _decided(evaluation, name)
    if not math.isnan(found.value):
        yield _headline(
            evaluation,
            f"Sensitivity, {what}",
            found,
            lesions=lesions,
            meaning=f"{round(found.value * of)} of {of} images labelled {what} {taken}.",
        )
    if not math.isnan(spared.value):
        kept = round(spared.value * others)
        yield _headline(
            evaluation,
            f"Specificity, {what}",
            spared,
            lesions=evaluation.lesions - lesions,
            meaning=f"{others} images are labelled something else. For {kept} of them {not_taken}, as it should be. "
            f"False alarms, taken for {what}: {others - kept}.",
        )


def _decided(evaluation: Evaluation, name: str) -> tuple[str, str]:
    """Say what it is to be taken for a class, and not to be."""
    what = readable(name)
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


def _of_interest(evaluation: Evaluation) -> str | None:
    """Melanoma, or the class that is asked about where there are two."""
    if "melanoma" in evaluation.classes:
        return "melanoma"
    return sought(evaluation.classes) if len(evaluation.classes) == 2 else None


def rows(evaluation: Evaluation) -> tuple[Row, ...]:
    """Write every class, then their mean and the mean weighted by images."""
    found = [
        Row(
            readable(name),
            f"{evaluation.support[k]:,}",
            f"{evaluation.lesion_support[k]:,}",
            tuple(number(evaluation.estimate(metric, name)) for metric in COLUMNS),
        )
        for k, name in enumerate(evaluation.classes)
    ]
    for name, of in ((MEAN, "macro"), (WEIGHTED_MEAN, "weighted")):
        means = tuple(number(evaluation.estimate(metric, of)) for metric in COLUMNS)
        sizes = (f"{evaluation.images:,}", f"{evaluation.lesions:,}") if of == "macro" else ("", "")
        found.append(Row(name, *sizes, means, average=True))
    return tuple(found)


def titles() -> tuple[str, ...]:
    """Give the headings of the columns of numbers."""
    return tuple(TITLES[metric] for metric in COLUMNS)
