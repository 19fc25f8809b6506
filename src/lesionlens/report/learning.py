"""How a network learnt, in the words of a methods section."""

import math
from collections.abc import Iterator
from typing import Any

from lesionlens.evaluation.wording import display_name
from lesionlens.report.reading import RunData

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
        yield "Loss", f"focal, gamma {asked.get('gamma'):g}"
    yield "Attention prior", _describe_attention_prior(run)
    if run.metrics is not None:
        stopped = run.metadata.get("stopped")
        ran = f"{len(run.metrics)} of {asked.get('epochs', '?')}" + (f"; stopped: {stopped}" if stopped else "")
        passes = asked.get("passes", 1)
        yield "Epochs", ran + (f"; {passes:g} passes over the images in each" if passes != 1 else "")
    if run.selected_epoch is not None:
        yield "Kept epoch", _selected_checkpoint(run)


def _describe_optimizer(train_config: dict[str, Any]) -> str:
    return (
        f"{OPTIMIZER_NAMES.get(train_config['optimizer'], train_config['optimizer'])}, learning rate {train_config.get('lr')} "
        f"({train_config.get('schedule', 'constant')}), batch {train_config.get('batch_size')}, "
        f"weight decay {train_config.get('weight_decay') or 'none'}"
    )


def _describe_class_balance(train_config: dict[str, Any]) -> str:
    found = [f"{train_config.get('sampling', 'shuffle')} sampling"]
    found += [f"{count} copies of {display_name(name)}" for name, count in (train_config.get("copies") or {}).items()]
    power, named = train_config.get("class_weight_power"), train_config.get("class_weights") or {}
    if power is not None:
        found.append(f"loss weighted by (N / N of class) to the power {power}")
    found += [f"{display_name(name)} {weight:g} times in the loss" for name, weight in named.items()]
    if train_config.get("diagnosis_weights"):
        found.append(f"loss weighted by how diagnoses were made ({display_name(train_config['diagnosis_weights'])})")
    weighted = len(found) - 1 - len(train_config.get("copies") or {})
    return ", ".join(found if weighted else [*found, "loss not weighted"])


def _describe_attention_prior(run: RunData) -> str:
    prior = run.recipe.get("prior") or {}
    share = prior.get("share", 1)
    if prior.get("masks", "none") == "none" or share == 0:
        return ""
    found = [f"{prior['masks']} masks" + (f" of {100 * share:g} % of the images" if share < 1 else "")]
    if prior.get("quality", "exact") != "exact":
        amount = "" if prior.get("amount") is None else f" {prior['amount']:g}"
        found.append(f"{prior['quality']}{amount}")
        if used := run.metadata.get("data", {}).get("prior"):
            found.append(f"Jaccard index with the exact ones {used['jaccard']:.3f}")
    weights = ", ".join(f"{name} {weight:g}" for name, weight in (prior.get("weights") or {}).items())
    return ", ".join(found) + (f", weights: {weights}" if weights else "")


def _selected_checkpoint(run: RunData) -> str:
    if run.metadata.get("kept") == "last":
        return f"{run.selected_epoch}, the last"
    best = run.metadata["best"]
    metric = str(best.get("metric")).replace("val_", "validation ").replace("auc", "AUC")
    return f"{run.selected_epoch}, with {display_name(metric)} {float(best.get('value', math.nan)):.3f}"
