"""What was run, in the words of a methods section."""

import re
from collections.abc import Iterator
from typing import Any

from markupsafe import Markup, escape

from lesionlens.evaluation.wording import display_name
from lesionlens.report.learning import SummaryItem, training_summary
from lesionlens.report.reading import RunData


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
    device += [f"{record['threads']} threads"] if record.get("threads") else []
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
    count, name = crops.get(f"{stage}_count", 1), crops.get(stage, "whole")
    return "the whole frame" if name == "whole" else f"{count} {name}"


def _describe_input(crops: dict[str, Any]) -> str:
    """Tell the crops, and what else stands between an image and its score."""
    text = f"{_describe_crops(crops, 'train')} in training, {_describe_crops(crops, 'test')} in use"
    if crops.get("roi") is not None:
        text += f", within the box of the lesion widened by {crops['roi']:g}"
    turns = {"flips": "flips", "dihedral": "eight orientations"}.get(str(crops.get("turns")))
    return f"{text}, each in {turns}; {crops['average']} averaged" if turns else text


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
    >>> print(with_link("Zhang et al. 2019, doi:10.1/x"))
    Zhang et al. 2019, <a href="https://doi.org/10.1/x">doi:10.1/x</a>
    """
    safe = str(escape(text))
    return Markup(re.sub(r"doi:(10\.[^\s<>&\"']+)", r'<a href="https://doi.org/\1">doi:\1</a>', safe))  # noqa: S704 - escaped above
