"""An evaluation as tables for the terminal, at most 100 columns wide for the names of the taxonomy."""

import math
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lesionlens.evaluate.evaluation import NOTICE, Evaluation
from lesionlens.evaluate.measures import ALL, MACRO
from lesionlens.evaluate.wording import TITLES, readable, with_interval

_RANKING = ("auc", "average_precision", "f1")
_DECIDED = ("sensitivity", "specificity", "precision")
_DECISIONS = {
    "argmax": "Sensitivity, specificity, precision and F1: an image is of the class with the largest score.",
    "half": "Sensitivity, specificity, precision and F1: an image is of every class whose score exceeds 0.5.",
}


def evaluation_table(evaluation: Evaluation) -> RenderableType:
    """Lay out an evaluation for `rich.console.Console.print`: two tables, the overall numbers, all notes."""
    return Group(
        Text(_headline(evaluation), style="bold"),
        Text(),
        _table(evaluation, _RANKING, support=True),
        Text(),
        _table(evaluation, _DECIDED, support=False),
        Text(),
        *(Text(line) for line in _overall(evaluation)),
        Text(_DECISIONS[evaluation.decision]),
        *(Text(f"Note: {note}") for note in (*evaluation.notes, *gathered_notes(evaluation))),
        Text(NOTICE, style="italic"),
    )


def gathered_notes(evaluation: Evaluation) -> list[str]:
    """Say each remark on an estimate once for each class, with the metrics that it is about."""
    about: dict[tuple[str, str], list[str]] = {}
    for each in evaluation.estimates:
        absent = each.of in evaluation.classes and not evaluation.support[evaluation.classes.index(each.of)]
        if each.note and not absent:  # classes without images have a note of their own
            about.setdefault((each.of, each.note), []).append(TITLES[each.metric])
    names = {MACRO: "mean of classes", ALL: "all images"}
    return [
        f"{names.get(of, readable(of))}: {note} ({', '.join(metrics)})."
        for (of, note), metrics in about.items()
    ]


def _headline(evaluation: Evaluation) -> str:
    counted = f"{evaluation.images:,} images of {evaluation.lesions:,} lesions"
    if not evaluation.replicates:
        return f"{counted}, without intervals"
    percent = f"{100 * evaluation.confidence:g} %"
    return f"{counted}; {percent} intervals from {evaluation.replicates:,} bootstrap replicates over lesions"


def _table(evaluation: Evaluation, metrics: Sequence[str], *, support: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Class", overflow="fold")
    for title in ("Images", "Lesions") if support else ():
        table.add_column(title, justify="right")
    for metric in metrics:
        table.add_column(TITLES[metric], justify="right", no_wrap=True)
    for k, name in enumerate(evaluation.classes):
        sizes = [f"{evaluation.support[k]:,}", f"{evaluation.lesion_support[k]:,}"] if support else []
        cells = [with_interval(evaluation.estimate(metric, name)) for metric in metrics]
        table.add_row(readable(name), *sizes, *cells, end_section=k == len(evaluation.classes) - 1)
    means = [with_interval(evaluation.estimate(metric, MACRO)) for metric in metrics]
    table.add_row("mean of classes", *(["", ""] if support else []), *means, style="bold")
    return table


def _overall(evaluation: Evaluation) -> list[str]:
    """Write the numbers of all images, those that are defined."""
    found = [each for each in evaluation.estimates if each.of == ALL and not math.isnan(each.value)]
    return [f"{TITLES[each.metric]}: {with_interval(each)}" for each in found]
