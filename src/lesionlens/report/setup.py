"""Setup of a run for the report: model, training and hardware as names with values."""

import math
import re
from collections.abc import Iterator
from typing import Any

from markupsafe import Markup, escape

from lesionlens.evaluation.formatting import display_name
from lesionlens.report.load import RunData

SummaryItem = tuple[str, str]
"""Name and value; items with the value "" are not shown."""

OPTIMIZER_NAMES = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}


def setup_summary(run: RunData) -> tuple[SummaryItem, ...]:
    """Return names and values of the model, the training and the hardware; unknown items are omitted."""
    items = [*_model_items(run), *training_summary(run), *_compute_items(run)]
    return tuple((name, value) for name, value in items if value)


def _model_items(run: RunData) -> Iterator[SummaryItem]:
    recorded, config = run.metadata.get("model", {}), run.recipe.get("model", {})
    yield "Model", str(recorded.get("name") or config.get("name") or _architecture_label(config))
    yield "Published in", linkify_doi(str(recorded.get("paper") or ""))
    if recorded.get("parameters"):
        yield "Parameters", f"{recorded['parameters']:,}"
    weights = str(config.get("weights") or "")
    yield "Initial weights", {"none": "random", "imagenet": "ImageNet"}.get(weights, weights)
    if config.get("input_size"):
        yield "Input", " × ".join(map(str, config["input_size"])) + " pixels"
    crops = run.recipe.get("crops", {})
    if crops:
        yield "Crops", _describe_input(crops)
    yield "Augmentation", _describe_augmentation(run.recipe.get("augment", {}))


def training_summary(run: RunData) -> Iterator[SummaryItem]:
    """Yield names and values of the training options; few if the run has no recipe."""
    config = run.recipe.get("train", {})
    if "optimizer" in config:
        yield "Optimizer", _describe_optimizer(config)
    if config:
        yield "Class balance", _describe_class_balance(config)
    if config.get("loss") == "focal":
        yield "Loss", f"focal, gamma {config.get('focal_gamma'):g}"
    yield "Attention prior", _describe_attention_prior(run)
    if run.metrics is not None:
        yield "Epochs", _describe_epochs(config, len(run.metrics), run.metadata.get("stop_reason"))
    if run.selected_epoch is not None:
        yield "Selected epoch", _selected_checkpoint(run)


def _compute_items(run: RunData) -> Iterator[SummaryItem]:
    metadata = run.metadata
    yield "Seed", str(metadata.get("seed", ""))
    device = [str(metadata[key]) for key in ("device", "precision") if metadata.get(key)]
    device += [f"{metadata['num_threads']} threads"] if metadata.get("num_threads") else []
    yield "Hardware", ", ".join(device)
    if metadata.get("seconds"):
        yield "Time", _format_duration(float(metadata["seconds"]))
    if metadata.get("peak_memory_gib"):
        yield "Peak memory", f"{metadata['peak_memory_gib']:.1f} GiB"
    yield "Started", str(metadata.get("started", ""))[:16].replace("T", ", ")
    versions = metadata.get("versions", {})
    yield "Versions", ", ".join(f"{name} {version}" for name, version in versions.items())


def _architecture_label(model_config: dict[str, Any]) -> str:
    return " with ".join(filter(None, [model_config.get("backbone"), model_config.get("attention")]))


def _describe_input(crops: dict[str, Any]) -> str:
    """Describe the crops, the lesion box and the views that are averaged for a score."""
    stages = [_describe_crops(crops.get(stage, {})) for stage in ("train", "test")]
    text = "{} in training, {} in inference".format(*stages)
    if crops.get("roi_margin") is not None:
        text += f", within the lesion's bounding box enlarged by {crops['roi_margin']:g}"
    views = {"flips": "flips", "dihedral": "eight orientations"}.get(str(crops.get("tta")))
    average = crops.get("tta_average", "probabilities")
    combined = "votes counted" if average == "vote" else f"{average} averaged"
    return f"{text}, each in {views}; {combined}" if views else text


def _describe_crops(stage: dict[str, Any]) -> str:
    count, strategy = stage.get("count", 1), stage.get("strategy", "full")
    return "the full image" if strategy == "full" else f"{count} {strategy}"


def _describe_augmentation(augment: dict[str, Any]) -> str:
    preset = augment.get("preset")
    strengths = {name: value for name, value in augment.items() if value and isinstance(value, int | float)}
    text = ", ".join(
        display_name(name) + ("" if value is True else f" {value:g}") for name, value in strengths.items()
    )
    return f"{preset}: {text or 'none'}" if preset else text


def _describe_optimizer(train_config: dict[str, Any]) -> str:
    name, scheduler = train_config["optimizer"], train_config.get("lr_scheduler", {})
    return (
        f"{OPTIMIZER_NAMES.get(name, name)}, learning rate {train_config.get('lr')} "
        f"({scheduler.get('name', 'constant')}), batch {train_config.get('batch_size')}, "
        f"weight decay {train_config.get('weight_decay') or 'none'}"
    )


def _describe_class_balance(train_config: dict[str, Any]) -> str:
    sampling = [f"{train_config.get('sampling', 'shuffle')} sampling"]
    sampling += [
        f"{count} copies of {display_name(name)}"
        for name, count in (train_config.get("class_repeats") or {}).items()
    ]
    return ", ".join([*sampling, *(_loss_weights(train_config) or ["loss not weighted"])])


def _loss_weights(train_config: dict[str, Any]) -> list[str]:
    power, by_class = train_config.get("class_weight_power"), train_config.get("class_weights") or {}
    weights = [] if power is None else [f"loss weighted by (N / N of class) to the power {power}"]
    weights += [f"{display_name(name)} {weight:g} times in the loss" for name, weight in by_class.items()]
    policy = train_config.get("confirmation_weights")
    return (
        [*weights, f"loss weighted by diagnosis confirmation ({display_name(policy)})"] if policy else weights
    )


def _describe_attention_prior(run: RunData) -> str:
    prior = run.recipe.get("attention_prior") or {}
    fraction = prior.get("mask_fraction", 1)
    if prior.get("target", "none") == "none" or fraction == 0:
        return ""
    items = [f"{prior['target']} masks" + (f" of {100 * fraction:g} % of the images" if fraction < 1 else "")]
    if prior.get("mask_degradation", "exact") != "exact":
        severity = "" if prior.get("severity") is None else f" {prior['severity']:g}"
        items.append(f"{prior['mask_degradation']}{severity}")
        if used := run.metadata.get("data", {}).get("attention_prior"):
            items.append(f"IoU with the exact masks {used['mean_iou']:.3f}")
    weights = ", ".join(f"{name} {weight:g}" for name, weight in (prior.get("weight") or {}).items())
    return ", ".join(items) + (f", weights: {weights}" if weights else "")


def _describe_epochs(train_config: dict[str, Any], completed: int, stop_reason: str | None) -> str:
    text = f"{completed} of {train_config.get('epochs', '?')}"
    if stop_reason:
        text += f"; stopped: {stop_reason}"
    passes = train_config.get("passes_per_epoch", 1)
    return text if passes == 1 else f"{text}; {passes:g} passes over the images in each"


def _selected_checkpoint(run: RunData) -> str:
    if run.metadata.get("checkpoint") == "last":
        return f"{run.selected_epoch}, the last"
    best = run.metadata["best"]
    metric = str(best.get("metric")).replace("val_", "validation ").replace("auc", "AUC")
    return f"{run.selected_epoch}, with {display_name(metric)} {float(best.get('value', math.nan)):.3f}"


def _format_duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def linkify_doi(text: str) -> str:
    """Return a citation as escaped HTML with its DOI as a link.

    Examples
    --------
    >>> print(linkify_doi("Zhang et al. 2019, doi:10.1/x"))
    Zhang et al. 2019, <a href="https://doi.org/10.1/x">doi:10.1/x</a>
    """
    safe = str(escape(text))
    return Markup(re.sub(r"doi:(10\.[^\s<>&\"']+)", r'<a href="https://doi.org/\1">doi:\1</a>', safe))  # noqa: S704 - escaped above
