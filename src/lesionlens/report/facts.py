"""What was run, in the words of a methods section."""

import re
from collections.abc import Iterator
from typing import Any

from markupsafe import Markup, escape

from lesionlens.evaluation.wording import readable
from lesionlens.report.learning import Fact, learning
from lesionlens.report.reading import Run


def facts(run: Run) -> tuple[Fact, ...]:
    """Give names and values of what a colleague would ask first; what is not known is left out."""
    found = [*_model(run), *learning(run), *_computing(run)]
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
        yield "Crops", _seen(crops)
    yield "Augmentation", _augmentation(run.recipe.get("augment", {}))


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


def _seen(crops: dict[str, Any]) -> str:
    """Tell the crops, and what else stands between an image and its score."""
    text = f"{_crops(crops, 'train')} in training, {_crops(crops, 'test')} in use"
    if crops.get("roi") is not None:
        text += f", within the box of the lesion widened by {crops['roi']:g}"
    turns = {"flips": "flips", "dihedral": "eight orientations"}.get(str(crops.get("turns")))
    return f"{text}, each in {turns}; {crops['average']} averaged" if turns else text


def _augmentation(augment: dict[str, Any]) -> str:
    preset = augment.get("preset")
    changes = {name: value for name, value in augment.items() if value and isinstance(value, int | float)}
    drawn = ", ".join(
        readable(name) + ("" if value is True else f" {value:g}") for name, value in changes.items()
    )
    return f"{preset}: {drawn or 'nothing'}" if preset else drawn


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
