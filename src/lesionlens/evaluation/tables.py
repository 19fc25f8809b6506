"""Tables of an evaluation for the terminal, for 80 and for 100 columns."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.calibrated_columns import CALIBRATED_PREFIX
from lesionlens.evaluation.caveats import grouped_caveats
from lesionlens.evaluation.formatting import (
    decision_label,
    display_name,
    format_scope,
    format_with_interval,
    task_label,
)
from lesionlens.evaluation.metric import MACRO, OVERALL, WEIGHTED
from lesionlens.evaluation.registry import METRICS, TABULATED_METRICS
from lesionlens.evaluation.result import Estimate, EvaluationResult

_WIDE_LAYOUT_WIDTH = 100  # fits three metrics and the longest class name of the taxonomy, folded once
_WIDE_METRICS, _NARROW_METRICS = 3, 2  # per table


@dataclass(frozen=True)
class EvaluationTable:
    """Renderable for `rich.console.Console.print`: tables, overall metrics and all caveats."""

    evaluation: EvaluationResult

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield tables of three metrics each if they fit the width, otherwise of two."""
        evaluation = self.evaluation
        yield Text(_headline(evaluation), style="bold")
        columns = _WIDE_METRICS if options.max_width >= _WIDE_LAYOUT_WIDTH else _NARROW_METRICS
        for start in range(0, len(TABULATED_METRICS), columns):
            yield Text()
            metrics = TABULATED_METRICS[start : start + columns]
            yield _metrics_table(evaluation, metrics, show_support=start == 0)
        yield Text()
        yield from map(Text, _overall_lines(evaluation))
        yield Text()
        yield _probability_table(evaluation)
        if rows := class_quality_rows(evaluation):
            yield Text()
            yield _class_quality_table(rows)
        yield from map(Text, predictive_value_lines(evaluation))
        yield Text(f"{_decision_metric_titles()}: {decision_label(evaluation)}.")
        for caveat in (*evaluation.caveats, *grouped_caveats(evaluation)):
            yield Text(f"Note: {caveat}")
        yield Text(RESEARCH_USE_NOTICE, style="italic")


def evaluation_table(evaluation: EvaluationResult) -> EvaluationTable:
    """Return an evaluation as a renderable for `rich.console.Console.print`."""
    return EvaluationTable(evaluation)


def _headline(evaluation: EvaluationResult) -> str:
    task = f"{task_label(*evaluation.task)}: " if evaluation.task else ""
    images, lesions = pluralize(evaluation.n_images, "image"), pluralize(evaluation.n_lesions, "lesion")
    size = f"{task}{images} of {lesions}"
    if not evaluation.n_resamples:
        return f"{size}, without intervals"
    percent = f"{100 * evaluation.confidence:g} %"
    return f"{size}; {percent} intervals from {evaluation.n_resamples:,} bootstrap resamples of the lesions"


def _metrics_table(evaluation: EvaluationResult, metrics: Sequence[str], *, show_support: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Class", overflow="fold")
    for title in ("Images", "Lesions") if show_support else ():
        table.add_column(title, justify="right")
    for metric in metrics:
        table.add_column(METRICS[metric].title, justify="right", no_wrap=True)
    for k, name in enumerate(evaluation.classes):
        sizes = [f"{evaluation.support[k]:,}", f"{evaluation.lesion_support[k]:,}"] if show_support else []
        cells = [format_with_interval(evaluation.estimate(metric, name)) for metric in metrics]
        table.add_row(
            *map(Text, (display_name(name), *sizes, *cells)), end_section=k == len(evaluation.classes) - 1
        )
    for scope in (MACRO, WEIGHTED):
        cells = [format_with_interval(evaluation.estimate(metric, scope)) for metric in metrics]
        blanks = ["", ""] if show_support else []
        table.add_row(format_scope(scope), *blanks, *cells, style="bold" if scope == MACRO else "")
    return table


def _overall_lines(evaluation: EvaluationResult) -> list[str]:
    """Return one line for each defined metric of all images, and for each average without values per class."""
    overall = [estimate for estimate in evaluation.estimates if _is_overall(estimate)]
    return [
        f"{METRICS[estimate.metric].title}: {format_with_interval(estimate)}"
        for estimate in sorted(overall, key=lambda estimate: estimate.scope is not OVERALL)
        if not math.isnan(estimate.value)
    ]


def _is_overall(estimate: Estimate) -> bool:
    metric = METRICS[estimate.metric]
    return metric.kind != "probability" and (estimate.scope == OVERALL or metric.class_function is None)


def probability_rows(evaluation: EvaluationResult) -> tuple[tuple[str, str, str], ...]:
    """Return title, value, and value of calibrated scores ("" without them) of each metric of kind "probability"."""
    values = {
        estimate.metric: format_with_interval(estimate)
        for estimate in evaluation.estimates
        if estimate.scope is OVERALL
    }
    names = [name for name, metric in METRICS.items() if metric.kind == "probability" and name in values]
    return tuple(
        (METRICS[name].title, values[name], values.get(CALIBRATED_PREFIX + name, ""))
        for name in names
        if not name.startswith(CALIBRATED_PREFIX)
    )


def _probability_table(evaluation: EvaluationResult) -> Table:
    """Return the metrics of the scores as probabilities, those of calibrated scores next to those of the model."""
    rows = probability_rows(evaluation)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Scores as probabilities", overflow="fold")
    titles = ("Model", "Calibrated") if any(calibrated for _, _, calibrated in rows) else ("Model",)
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    for title, *values in rows:
        table.add_row(title, *values[: len(titles)])
    return table


def class_quality_rows(evaluation: EvaluationResult) -> tuple[tuple[str, ...], ...]:
    """Return class, coverage and size of the prediction sets and calibration error of the scores of each class.

    The error is that of the calibrated scores if there are any; empty without prediction sets.
    """
    by_key = {(estimate.metric, estimate.scope): estimate for estimate in evaluation.estimates}
    if ("set_coverage", OVERALL) not in by_key:
        return ()
    calibrated = f"{CALIBRATED_PREFIX}classwise_ece"
    error = calibrated if (calibrated, OVERALL) in by_key else "classwise_ece"
    return tuple(
        (
            display_name(name),
            *(format_with_interval(by_key[metric, name]) for metric in ("set_coverage", "set_size", error)),
        )
        for name in evaluation.classes
    )


def _class_quality_table(rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Class", overflow="fold")
    for title in ("Coverage of sets", "Size of sets", "Calibration error"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def predictive_value_lines(evaluation: EvaluationResult) -> list[str]:
    """Return one line for each class with PPV and NPV at its prevalence."""
    values = {
        (estimate.metric, estimate.scope): format_with_interval(estimate)
        for estimate in evaluation.predictive_values
    }
    return [
        f"At a prevalence of {100 * prevalence:g} %, {display_name(name)}: PPV {values['ppv', name]}, NPV "
        f"{values['npv', name]}"
        for name, prevalence in evaluation.prevalence.items()
    ]


def _decision_metric_titles() -> str:
    titles = [METRICS[name].title for name in TABULATED_METRICS if METRICS[name].kind == "decision"]
    return f"{', '.join(titles[:-1])} and {titles[-1]}"
