"""What was run, in the words of a methods section."""

import math
import re
from collections.abc import Iterator
from typing import Any

from markupsafe import Markup, escape

from lesionlens.evaluation.wording import readable
from lesionlens.report.reading import Run

Fact = tuple[str, str]
OPTIMISERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}


def facts(run: Run) -> tuple[Fact, ...]:
    """Give names and values of what a colleague would ask first; what is not known is left out."""
    found = [*_model(run), *_learning(run), *_computing(run)]
    return tuple((name, value) for name, value in found if value)


def _model(run: Run) -> Iterator[Fact]:
    recorded, asked = run.record.get("model", {}), run.recipe.get("model", {})
    yield "Model", str(recorded.get("name") or asked.get("name") or _composed(asked))
    yield "Published in", with_link(str(recorded.get("paper") or ""))
    if recorded.get("parameters"):
        yield "Parameters", f"{recorded['parameters']:,}"
    first = str(asked.get("weights") or "")
    yield "First weights", {"none": "random", "imagenet": "ImageNet"}.get(first, first)
    if asked.get("input_size"):
        yield "Input", " × ".join(map(str, asked["input_size"])) + " pixels"
    crops = run.recipe.get("crops", {})
    if crops:
        yield "Crops", f"{_crops(crops, 'train')} in training, {_crops(crops, 'test')} in use"
    yield "Augmentation", _augmentation(run.recipe.get("augment", {}))


def _learning(run: Run) -> Iterator[Fact]:
    asked = run.recipe.get("train", {})
    if "optimizer" in asked:
        yield (
            "Optimiser",
            (
                f"{OPTIMISERS.get(asked['optimizer'], asked['optimizer'])}, learning rate {asked.get('lr')} "
                f"({asked.get('schedule', 'constant')}), batch {asked.get('batch_size')}, "
                f"weight decay {asked.get('weight_decay') or 'none'}"
            ),
        )
    power = asked.get("class_weight_power")
    weighted = (
        "loss not weighted" if power is None else f"loss weighted by (N / N of class) to the power {power}"
    )
    if asked:
        yield "Class balance", f"{asked.get('sampling', 'shuffle')} sampling, {weighted}"
    if run.log is not None:
        stopped = run.record.get("stopped")
        yield (
            "Epochs",
            f"{len(run.log)} of {asked.get('epochs', '?')}" + (f"; stopped: {stopped}" if stopped else ""),
        )
    if run.kept_epoch is not None:
        best = run.record["best"]
        metric = str(best.get("metric")).replace("val_", "validation ").replace("auc", "AUC")
        yield (
            "Kept epoch",
            f"{run.kept_epoch}, with {readable(metric)} {float(best.get('value', math.nan)):.3f}",
        )


def _computing(run: Run) -> Iterator[Fact]:
    record = run.record
    yield "Seed", str(record.get("seed", ""))
    device = [str(record[key]) for key in ("device", "precision") if record.get(key)]
    device += [f"{record['threads']} threads"] if record.get("threads") else []
    yield "Computed on", ", ".join(device)
    if record.get("seconds"):
        yield "Time", _duration(float(record["seconds"]))
    if record.get("peak_memory_gib"):
        yield "Peak memory", f"{record['peak_memory_gib']:.1f} GiB"
    yield "Started", str(record.get("started", ""))[:16].replace("T", ", ")
    yield "Versions", ", ".join(f"{name} {which}" for name, which in record.get("versions", {}).items())


def _composed(asked: dict[str, Any]) -> str:
    return " with ".join(filter(None, [asked.get("backbone"), asked.get("attention")]))


def _crops(crops: dict[str, Any], when: str) -> str:
    count, name = crops.get(f"{when}_count", 1), crops.get(when, "whole")
    return "the whole frame" if name == "whole" else f"{count} {name}"


def _augmentation(augment: dict[str, Any]) -> str:
    return ", ".join(f"{readable(name)} {value:g}" for name, value in augment.items() if value)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def with_link(text: str) -> str:
    """Make a link of the doi in a citation.

    Examples
    --------
    >>> print(with_link("Zhang et al. 2019, doi:10.1/x"))
    Zhang et al. 2019, <a href="https://doi.org/10.1/x">doi:10.1/x</a>
    """
    safe = str(escape(text))
    return Markup(re.sub(r"doi:(10\.[^\s<>&\"']+)", r'<a href="https://doi.org/\1">doi:\1</a>', safe))  # noqa: S704 - escaped above
