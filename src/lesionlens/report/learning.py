"""How a network learnt, in the words of a methods section."""

import math
from collections.abc import Iterator
from typing import Any

from lesionlens.evaluation.wording import readable
from lesionlens.report.reading import Run

Fact = tuple[str, str]
OPTIMISERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}


def learning(run: Run) -> Iterator[Fact]:
    """Give names and values; a run without a recipe has few."""
    asked = run.recipe.get("train", {})
    if "optimizer" in asked:
        yield "Optimiser", _optimiser(asked)
    if asked:
        yield "Class balance", _balance(asked)
    if asked.get("loss") == "focal":
        yield "Loss", f"focal, gamma {asked.get('gamma'):g}"
    yield "Attention prior", _prior(run)
    if run.log is not None:
        stopped = run.record.get("stopped")
        ran = f"{len(run.log)} of {asked.get('epochs', '?')}" + (f"; stopped: {stopped}" if stopped else "")
        passes = asked.get("passes", 1)
        yield "Epochs", ran + (f"; {passes:g} passes over the images in each" if passes != 1 else "")
    if run.kept_epoch is not None:
        yield "Kept epoch", _kept(run)


def _optimiser(asked: dict[str, Any]) -> str:
    return (
        f"{OPTIMISERS.get(asked['optimizer'], asked['optimizer'])}, learning rate {asked.get('lr')} "
        f"({asked.get('schedule', 'constant')}), batch {asked.get('batch_size')}, "
        f"weight decay {asked.get('weight_decay') or 'none'}"
    )


def _balance(asked: dict[str, Any]) -> str:
    found = [f"{asked.get('sampling', 'shuffle')} sampling"]
    found += [f"{count} copies of {readable(name)}" for name, count in (asked.get("copies") or {}).items()]
    power, named = asked.get("class_weight_power"), asked.get("class_weights") or {}
    if power is not None:
        found.append(f"loss weighted by (N / N of class) to the power {power}")
    found += [f"{readable(name)} {weight:g} times in the loss" for name, weight in named.items()]
    if asked.get("diagnosis_weights"):
        found.append(f"loss weighted by how diagnoses were made ({readable(asked['diagnosis_weights'])})")
    weighted = len(found) - 1 - len(asked.get("copies") or {})
    return ", ".join(found if weighted else [*found, "loss not weighted"])


def _prior(run: Run) -> str:
    prior = run.recipe.get("prior") or {}
    share = prior.get("share", 1)
    if prior.get("masks", "none") == "none" or share == 0:
        return ""
    found = [f"{prior['masks']} masks" + (f" of {100 * share:g} % of the images" if share < 1 else "")]
    if prior.get("quality", "exact") != "exact":
        amount = "" if prior.get("amount") is None else f" {prior['amount']:g}"
        found.append(f"{prior['quality']}{amount}")
        if used := run.record.get("data", {}).get("prior"):
            found.append(f"Jaccard index with the exact ones {used['jaccard']:.3f}")
    weights = ", ".join(f"{name} {weight:g}" for name, weight in (prior.get("weights") or {}).items())
    return ", ".join(found) + (f", weights: {weights}" if weights else "")


def _kept(run: Run) -> str:
    if run.record.get("kept") == "last":
        return f"{run.kept_epoch}, the last"
    best = run.record["best"]
    metric = str(best.get("metric")).replace("val_", "validation ").replace("auc", "AUC")
    return f"{run.kept_epoch}, with {readable(metric)} {float(best.get('value', math.nan)):.3f}"
