"""What a page says of a run: its numbers with their intervals and meanings, how it learnt, what a colleague asks."""

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from lesionlens.evaluation.formatting import (
    MACRO_LABEL,
    METRIC_TITLES,
    UNDEFINED_SYMBOL,
    WEIGHTED_LABEL,
    display_name,
)
from lesionlens.evaluation.result import Estimate, EvaluationResult
from lesionlens.evaluation.thresholds import positive_class
from lesionlens.report.load import RunData

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
    """One class, or an average over them: images, lesions and the numbers in the order of ``REPORTED_METRICS``."""

    name: str
    images: str
    lesions: str
    cells: tuple[MetricCell, ...]
    is_average: bool = False


def format_estimate(estimate: Estimate) -> MetricCell:
    """Write an estimate with three digits.

    Examples
    --------
    >>> format_estimate(Estimate("auc", "nevus", 0.87312, 0.842, 0.9009))
    MetricCell(value='0.873', interval='0.842–0.901', note='')
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
            explanation=f"{others} images are labelled something else. For {kept} of them {not_taken}, as it should "
            f"be. False alarms, taken for {what}: {others - kept}.",
        )


def _describe_decision(evaluation: EvaluationResult, name: str) -> tuple[str, str]:
    """Say what it is to be taken for a class, and not to be."""
    what = display_name(name)
    if evaluation.decision == "argmax":
        return (
            f"have {what} as the class with the largest score",
            f"another class than {what} had the largest score",
        )
    if evaluation.decision == "isic":
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


SummaryItem = tuple[str, str]
OPTIMIZER_NAMES = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}


def training_summary(run: RunData) -> Iterator[SummaryItem]:
    """Give names and values; a run without a recipe has few."""
    asked = run.recipe.get("train", {})
    if "optimizer" in asked:
        yield "Optimiser", _describe_optimizer(asked)
    if asked:
        yield "Class balance", _describe_class_balance(asked)
    if asked.get("loss") == "focal":
        yield "Loss", f"focal, gamma {asked.get('focal_gamma'):g}"
    yield "Attention prior", _describe_attention_prior(run)
    if run.metrics is not None:
        stopped = run.metadata.get("stop_reason")
        ran = f"{len(run.metrics)} of {asked.get('epochs', '?')}" + (
            f"; stopped: {stopped}" if stopped else ""
        )
        passes = asked.get("passes_per_epoch", 1)
        yield "Epochs", ran + (f"; {passes:g} passes over the images in each" if passes != 1 else "")
    if run.selected_epoch is not None:
        yield "Kept epoch", _selected_checkpoint(run)


def _describe_optimizer(train_config: dict[str, Any]) -> str:
    name = train_config["optimizer"]
    return (
        f"{OPTIMIZER_NAMES.get(name, name)}, learning rate {train_config.get('lr')} "
        f"({train_config.get('schedule', 'constant')}), batch {train_config.get('batch_size')}, "
        f"weight decay {train_config.get('weight_decay') or 'none'}"
    )


def _describe_class_balance(train_config: dict[str, Any]) -> str:
    found = [f"{train_config.get('sampling', 'shuffle')} sampling"]
    found += [
        f"{count} copies of {display_name(name)}"
        for name, count in (train_config.get("class_repeats") or {}).items()
    ]
    power, named = train_config.get("class_weight_power"), train_config.get("class_weights") or {}
    if power is not None:
        found.append(f"loss weighted by (N / N of class) to the power {power}")
    found += [f"{display_name(name)} {weight:g} times in the loss" for name, weight in named.items()]
    if train_config.get("confirmation_weights"):
        found.append(
            f"loss weighted by how diagnoses were made ({display_name(train_config['confirmation_weights'])})"
        )
    weighted = len(found) - 1 - len(train_config.get("class_repeats") or {})
    return ", ".join(found if weighted else [*found, "loss not weighted"])


def _describe_attention_prior(run: RunData) -> str:
    prior = run.recipe.get("attention_prior") or {}
    share = prior.get("mask_fraction", 1)
    if prior.get("target", "none") == "none" or share == 0:
        return ""
    found = [f"{prior['target']} masks" + (f" of {100 * share:g} % of the images" if share < 1 else "")]
    if prior.get("mask_degradation", "exact") != "exact":
        amount = "" if prior.get("severity") is None else f" {prior['severity']:g}"
        found.append(f"{prior['mask_degradation']}{amount}")
        if used := run.metadata.get("data", {}).get("attention_prior"):
            found.append(f"Jaccard index with the exact ones {used['mean_iou']:.3f}")
    weights = ", ".join(f"{name} {weight:g}" for name, weight in (prior.get("weight") or {}).items())
    return ", ".join(found) + (f", weights: {weights}" if weights else "")


def _selected_checkpoint(run: RunData) -> str:
    if run.metadata.get("checkpoint") == "last":
        return f"{run.selected_epoch}, the last"
    best = run.metadata["best"]
    metric = str(best.get("metric")).replace("val_", "validation ").replace("auc", "AUC")
    return f"{run.selected_epoch}, with {display_name(metric)} {float(best.get('value', math.nan)):.3f}"


def setup_summary(run: RunData) -> tuple[SummaryItem, ...]:
    """Give names and values of what a colleague would ask first; what is not known is left out."""
    found = [*_model_items(run), *training_summary(run), *_compute_items(run)]
    return tuple((name, value) for name, value in found if value)


def _model_items(run: RunData) -> Iterator[SummaryItem]:
    recorded, asked = run.metadata.get("model", {}), run.recipe.get("model", {})
    yield "Model", str(recorded.get("name") or asked.get("name") or _architecture_label(asked))
    yield "Published in", linkify_doi(str(recorded.get("paper") or ""))
    if recorded.get("parameters"):
        yield "Parameters", f"{recorded['parameters']:,}"
    first = str(asked.get("weights") or "")
    yield "First weights", {"none": "random", "imagenet": "ImageNet"}.get(first, first)
    if asked.get("input_size"):
        yield "Input", " × ".join(map(str, asked["input_size"])) + " pixels"
    crops = run.recipe.get("crops", {})
    if crops:
        yield "Crops", _describe_input(crops)
    yield "Augmentation", _describe_augmentation(run.recipe.get("augment", {}))


def _compute_items(run: RunData) -> Iterator[SummaryItem]:
    record = run.metadata
    yield "Seed", str(record.get("seed", ""))
    device = [str(record[key]) for key in ("device", "precision") if record.get(key)]
    device += [f"{record['num_threads']} threads"] if record.get("num_threads") else []
    yield "Computed on", ", ".join(device)
    if record.get("seconds"):
        yield "Time", _format_duration(float(record["seconds"]))
    if record.get("peak_memory_gib"):
        yield "Peak memory", f"{record['peak_memory_gib']:.1f} GiB"
    yield "Started", str(record.get("started", ""))[:16].replace("T", ", ")
    yield "Versions", ", ".join(f"{name} {which}" for name, which in record.get("versions", {}).items())


def _architecture_label(model_config: dict[str, Any]) -> str:
    return " with ".join(filter(None, [model_config.get("backbone"), model_config.get("attention")]))


def _describe_crops(crops: dict[str, Any], stage: str) -> str:
    count, name = crops.get(f"{stage}_count", 1), crops.get(stage, "full")
    return "the whole frame" if name == "full" else f"{count} {name}"


def _describe_input(crops: dict[str, Any]) -> str:
    """Tell the crops, and what else stands between an image and its score."""
    text = f"{_describe_crops(crops, 'train')} in training, {_describe_crops(crops, 'test')} in use"
    if crops.get("roi_margin") is not None:
        text += f", within the box of the lesion widened by {crops['roi_margin']:g}"
    turns = {"flips": "flips", "dihedral": "eight orientations"}.get(str(crops.get("tta")))
    return f"{text}, each in {turns}; {crops['tta_average']} averaged" if turns else text


def _describe_augmentation(augment: dict[str, Any]) -> str:
    preset = augment.get("preset")
    changes = {name: value for name, value in augment.items() if value and isinstance(value, int | float)}
    drawn = ", ".join(
        display_name(name) + ("" if value is True else f" {value:g}") for name, value in changes.items()
    )
    return f"{preset}: {drawn or 'nothing'}" if preset else drawn


def _format_duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def linkify_doi(text: str) -> str:
    """Make a link of the doi in a citation.

    Examples
    --------
    >>> print(linkify_doi("Zhang et al. 2019, doi:10.1/x"))
    Zhang et al. 2019, <a href="https://doi.org/10.1/x">doi:10.1/x</a>
    """
    safe = str(escape(text))
    return Markup(re.sub(r"doi:(10\.[^\s<>&\"']+)", r'<a href="https://doi.org/\1">doi:\1</a>', safe))  # noqa: S704 - escaped above
