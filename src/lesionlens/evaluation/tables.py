"""An evaluation as tables for the terminal, in 80 columns or in 100."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.caveats import grouped_caveats
from lesionlens.evaluation.compute import MACRO, OVERALL, WEIGHTED
from lesionlens.evaluation.formatting import (
    MACRO_LABEL,
    METRIC_TITLES,
    WEIGHTED_LABEL,
    decision_label,
    display_name,
    format_with_interval,
    task_label,
)
from lesionlens.evaluation.result import EvaluationResult

_WIDE_LAYOUT = (("auc", "average_precision", "f1"), ("sensitivity", "specificity", "precision"))
_NARROW_LAYOUT = (("auc", "average_precision"), ("sensitivity", "specificity"), ("precision", "f1"))
_WIDE_LAYOUT_WIDTH = 100  # columns for the longest name of the taxonomy, folded once


@dataclass(frozen=True)
class EvaluationTable:
    """What `rich.console.Console.print` lays out: the tables, the overall numbers, all notes."""

    evaluation: EvaluationResult

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Give two tables where there is room for them, else three narrow ones."""
        found = self.evaluation
        yield Text(_headline(found), style="bold")
        for place, metrics in enumerate(
            _WIDE_LAYOUT if options.max_width >= _WIDE_LAYOUT_WIDTH else _NARROW_LAYOUT
        ):
            yield Text()
            yield _metrics_table(found, metrics, support=place == 0)
        yield Text()
        lines = (
            *_overall_lines(found),
            f"Sensitivity, specificity, precision and F1: {decision_label(found)}.",
        )
        notes = (f"Note: {note}" for note in (*found.caveats, *grouped_caveats(found)))
        yield from (Text(line) for line in (*lines, *notes))
        yield Text(RESEARCH_USE_NOTICE, style="italic")


def evaluation_table(evaluation: EvaluationResult) -> EvaluationTable:
    """Lay out an evaluation for `rich.console.Console.print`."""
    return EvaluationTable(evaluation)


def _headline(evaluation: EvaluationResult) -> str:
    task = "" if evaluation.task == "all" else f"{task_label(evaluation.task)}: "
    counted = f"{task}{evaluation.n_images:,} images of {evaluation.n_lesions:,} lesions"
    if not evaluation.n_resamples:
        return f"{counted}, without intervals"
    percent = f"{100 * evaluation.confidence:g} %"
    return (
        f"{counted}; {percent} intervals from {evaluation.n_resamples:,} bootstrap resamples of the lesions"
    )


def _metrics_table(evaluation: EvaluationResult, metrics: Sequence[str], *, support: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Class", overflow="fold")
    for title in ("Images", "Lesions") if support else ():
        table.add_column(title, justify="right")
    for metric in metrics:
        table.add_column(METRIC_TITLES[metric], justify="right", no_wrap=True)
    for k, name in enumerate(evaluation.classes):
        sizes = [f"{evaluation.support[k]:,}", f"{evaluation.lesion_support[k]:,}"] if support else []
        cells = [format_with_interval(evaluation.estimate(metric, name)) for metric in metrics]
        table.add_row(display_name(name), *sizes, *cells, end_section=k == len(evaluation.classes) - 1)
    for title, of in ((MACRO_LABEL, MACRO), (WEIGHTED_LABEL, WEIGHTED)):
        means = [format_with_interval(evaluation.estimate(metric, of)) for metric in metrics]
        table.add_row(title, *(["", ""] if support else []), *means, style="bold" if of == MACRO else "")
    return table


def _overall_lines(evaluation: EvaluationResult) -> list[str]:
    """Write the numbers that are of no table, those that are defined."""
    of_none = [
        *(each for each in evaluation.estimates if each.scope == OVERALL),
        evaluation.estimate("f1_weighted_by_predictions", WEIGHTED),
    ]
    found = [each for each in of_none if not math.isnan(each.value)]
    return [f"{METRIC_TITLES[each.metric]}: {format_with_interval(each)}" for each in found]
