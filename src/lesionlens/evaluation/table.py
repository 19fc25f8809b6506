"""An evaluation as tables for the terminal, in 80 columns or in 100."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from lesionlens.evaluation.evaluation import NOTICE, Evaluation
from lesionlens.evaluation.gathered import gathered_notes
from lesionlens.evaluation.measures import ALL, MACRO, WEIGHTED
from lesionlens.evaluation.wording import (
    MEAN,
    TITLES,
    WEIGHTED_MEAN,
    decided,
    question,
    readable,
    with_interval,
)

_WIDE = (("auc", "average_precision", "f1"), ("sensitivity", "specificity", "precision"))
_NARROW = (("auc", "average_precision"), ("sensitivity", "specificity"), ("precision", "f1"))
_ROOM = 100  # columns that the wide tables need for the longest name of the taxonomy, folded once


@dataclass(frozen=True)
class EvaluationTable:
    """What `rich.console.Console.print` lays out: the tables, the overall numbers, all notes."""

    evaluation: Evaluation

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Give two tables where there is room for them, else three narrow ones."""
        found = self.evaluation
        yield Text(_headline(found), style="bold")
        for place, metrics in enumerate(_WIDE if options.max_width >= _ROOM else _NARROW):
            yield Text()
            yield _table(found, metrics, support=place == 0)
        yield Text()
        lines = (*_overall(found), f"Sensitivity, specificity, precision and F1: {decided(found)}.")
        notes = (f"Note: {note}" for note in (*found.notes, *gathered_notes(found)))
        yield from (Text(line) for line in (*lines, *notes))
        yield Text(NOTICE, style="italic")


def evaluation_table(evaluation: Evaluation) -> EvaluationTable:
    """Lay out an evaluation for `rich.console.Console.print`."""
    return EvaluationTable(evaluation)


def _headline(evaluation: Evaluation) -> str:
    task = "" if evaluation.task == "all" else f"{question(evaluation.task)}: "
    counted = f"{task}{evaluation.images:,} images of {evaluation.lesions:,} lesions"
    if not evaluation.replicates:
        return f"{counted}, without intervals"
    percent = f"{100 * evaluation.confidence:g} %"
    return f"{counted}; {percent} intervals from {evaluation.replicates:,} bootstrap resamples of the lesions"


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
    for title, of in ((MEAN, MACRO), (WEIGHTED_MEAN, WEIGHTED)):
        means = [with_interval(evaluation.estimate(metric, of)) for metric in metrics]
        table.add_row(title, *(["", ""] if support else []), *means, style="bold" if of == MACRO else "")
    return table


def _overall(evaluation: Evaluation) -> list[str]:
    """Write the numbers that are of no table, those that are defined."""
    of_none = [
        *(each for each in evaluation.estimates if each.of == ALL),
        evaluation.estimate("f1_swapped", WEIGHTED),
    ]
    found = [each for each in of_none if not math.isnan(each.value)]
    return [f"{TITLES[each.metric]}: {with_interval(each)}" for each in found]
