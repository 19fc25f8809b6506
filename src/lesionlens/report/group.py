"""Build the report of several runs of one recipe: every run, pooled folds, and means over the runs on one page."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from lesionlens.core.fileio import write_text
from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.formatting import (
    decision_label,
    format_metric,
    format_scope,
    format_value,
    format_with_interval,
)
from lesionlens.evaluation.metric import MACRO, OVERALL, WEIGHTED, MetricKey, Scope
from lesionlens.evaluation.registry import TABULATED_METRICS
from lesionlens.evaluation.result import Estimate, EvaluationResult
from lesionlens.report.build import evaluation_section, render_page
from lesionlens.report.caveats import Caveat, few_lesions_caveats, metric_caveats
from lesionlens.report.content import (
    ClassRow,
    HeadlineMetric,
    MetricCell,
    class_of_interest,
    column_titles,
    format_estimate,
)
from lesionlens.report.group_plots import group_roc_plot
from lesionlens.report.plots import inline_svg
from lesionlens.report.setup import SummaryItem

_RUN_ITEMS = (
    "Seed",
    "Epochs",
    "Selected epoch",
    "Time",
    "Peak memory",
    "Started",
)  # they differ between the runs
_NUM_HEADLINES = 4


class ReportedRun(NamedTuple):
    """One run of the group.

    Attributes
    ----------
    name, repeat
        Name of the run, and of the repeat that it is part of.
    seed, fold, status
        Seed of its training, index of its fold (None without folds), and its status.
    evaluation
        Evaluation of the run; None if it is not finished.
    link
        URL of its own report, relative to the page; "" if it has none.
    """

    name: str
    repeat: str
    seed: int
    fold: int | None
    status: str
    evaluation: EvaluationResult | None
    link: str


class MeanOverRuns(NamedTuple):
    """Mean of a metric over the runs, with its interval, and its standard deviation."""

    estimate: Estimate
    std: float


@dataclass(frozen=True)
class GroupReport:
    """Content of the page.

    Attributes
    ----------
    name, description
        Name of the group, and what its runs are.
    split
        Split on which the runs were evaluated.
    runs
        All runs, also unfinished ones.
    pools
        Evaluation of the pooled folds of each repeat, by its name ("" for a single one); may be empty.
    means
        Statistics of each metric over the finished runs.
    mean_title
        What the means are over, such as "mean over 5 folds".
    caveats
        Limits of the results, one sentence each.
    setup, command, recipe_text
        Setup of the runs, the command that started them, and their recipe.
    """

    name: str
    description: str
    split: str
    runs: tuple[ReportedRun, ...]
    pools: Mapping[str, EvaluationResult]
    means: Mapping[MetricKey, MeanOverRuns]
    mean_title: str
    caveats: tuple[str, ...]
    setup: tuple[SummaryItem, ...]
    command: str
    recipe_text: str

    @cached_property
    def evaluations(self) -> list[EvaluationResult]:
        """Evaluations of the finished runs."""
        return [run.evaluation for run in self.runs if run.evaluation is not None]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.evaluations[0].classes

    @property
    def compared_metrics(self) -> list[MetricKey]:
        """Metrics in the table of the runs."""
        name = class_of_interest(self.evaluations[0])
        keys: list[MetricKey] = [] if len(self.classes) == 2 and name else [("auc", MACRO)]
        of_class = ("auc", "sensitivity", "specificity") if name else ()
        keys += [(metric, str(name)) for metric in of_class]
        return [*keys, ("balanced_accuracy", OVERALL), ("accuracy", OVERALL)]


class RunRow(NamedTuple):
    """One row of the table of runs: a run, pooled folds, the mean, or the standard deviation."""

    name: str
    details: str
    link: str
    cells: tuple[MetricCell, ...]


def build_group_report(path: Path, report: GroupReport) -> None:
    """Write the page, which loads nothing from the network or the disk; only links lead to the reports of the runs.

    Raises
    ------
    WriteError
        The page cannot be written.
    """
    write_text(path, render_group_report(report))


def render_group_report(report: GroupReport) -> str:
    """Return the HTML page of a group with one or more finished runs."""
    keys = report.compared_metrics
    sections = [_pool_section(name, report) for name in report.pools]
    scopes: tuple[Scope, ...] = (*report.classes, MACRO, WEIGHTED)
    first, *_ = report.evaluations
    return render_page(
        "group.html",
        report=report,
        name=report.name,
        headlines=sections[0]["headlines"] if sections else list(_mean_headlines(report)),
        caveats=[
            *_pool_caveats(report),
            *(Caveat("", text) for text in report.caveats),
            *_number_caveats(report),
        ],
        titles=[format_metric(*key) for key in keys],
        run_rows=[_run_row(run, keys) for run in report.runs],
        total_rows=[*_pool_rows(report, keys), *_mean_rows(report, keys)],
        splits=sections,
        mean_titles=column_titles(),
        mean_rows=[_class_mean_row(report, scope) for scope in scopes],
        roc="" if sections else _roc(None, report, prefix="runs"),
        decision_label=decision_label(first),
        setup=[item for item in report.setup if item[0] not in _RUN_ITEMS],
        command=report.command,
        recipe_text=report.recipe_text,
    )


def _pool_caveats(report: GroupReport) -> Iterator[Caveat]:
    """Yield what a pooled AUC means, with the mean over the runs next to it."""
    if report.pools:
        mean = format_with_interval(report.means["auc", MACRO].estimate)
        yield Caveat(
            "These metrics are of pooled folds.",
            "Each image has the scores of the model that was not trained on it. AUC compares scores of different "
            f"models, which may be on different scales. The {report.mean_title} of this AUC is {mean}.",
        )


def _number_caveats(report: GroupReport) -> Iterator[Caveat]:
    """Yield the caveats of the metrics: of a single pool all, otherwise about rare classes."""
    if len(report.pools) == 1:
        yield from metric_caveats(next(iter(report.pools.values())))
    else:
        yield from few_lesions_caveats(next(iter(report.pools.values()), report.evaluations[0]))


def _mean_headlines(report: GroupReport) -> Iterator[HeadlineMetric]:
    for key in report.compared_metrics[:_NUM_HEADLINES]:
        mean = report.means[key].estimate
        values = [run.value(*key) for run in report.evaluations]
        defined = [value for value in values if not math.isnan(value)]
        if defined:
            label = "95 % interval over the runs" if not math.isnan(mean.low) else "without interval"
            explanation = (
                f"Mean of {pluralize(len(defined), 'run')}, from {min(defined):.3f} to {max(defined):.3f}."
            )
            yield HeadlineMetric(format_metric(*key), format_estimate(mean), label, explanation)


def _run_row(run: ReportedRun, keys: list[MetricKey]) -> RunRow:
    details = f"seed {run.seed}" + ("" if run.fold is None else f", fold {run.fold}")
    if run.evaluation is None:
        return RunRow(run.name, f"{details}; {run.status}", run.link, ())
    size = f"{run.evaluation.n_images:,} images, {run.evaluation.n_lesions:,} lesions"
    return RunRow(run.name, f"{details}; {size}", run.link, _cells(run.evaluation, keys))


def _pool_rows(report: GroupReport, keys: list[MetricKey]) -> Iterator[RunRow]:
    for name, pool in report.pools.items():
        size = f"{pool.n_images:,} images, {pool.n_lesions:,} lesions"
        yield RunRow(_pool_title(name), size, "", _cells(pool, keys))


def _pool_title(name: str) -> str:
    return f"Pooled folds, {name}" if name else "Pooled folds"


def _cells(evaluation: EvaluationResult, keys: list[MetricKey]) -> tuple[MetricCell, ...]:
    return tuple(format_estimate(evaluation.estimate(*key)) for key in keys)


def _mean_rows(report: GroupReport, keys: list[MetricKey]) -> Iterator[RunRow]:
    means = [report.means[key] for key in keys]
    title = f"{report.mean_title[0].upper()}{report.mean_title[1:]}"
    yield RunRow(title, "", "", tuple(format_estimate(mean.estimate) for mean in means))
    cells = tuple(MetricCell(format_value(mean.std), "", "") for mean in means)
    yield RunRow("Standard deviation", "divisor n − 1", "", cells)


def _class_mean_row(report: GroupReport, scope: Scope) -> ClassRow:
    cells = tuple(format_estimate(report.means[metric, scope].estimate) for metric in TABULATED_METRICS)
    return ClassRow(format_scope(scope), "", cells, is_average=not isinstance(scope, str))


def _pool_section(name: str, report: GroupReport) -> dict[str, Any]:
    """Return all metrics and figures of a pool, with the ROC curves of its folds in the background."""
    pool, title = report.pools[name], _pool_title(name)
    section = evaluation_section(
        f"{title[0].lower()}{title[1:]}", pool, report.classes, prefix=f"pool-{name}"
    )
    section["figures"]["roc"] = _roc(pool, report, prefix=f"pool-{name}-runs")
    return section


def _roc(pool: EvaluationResult | None, report: GroupReport, *, prefix: str) -> Markup:
    """Return the ROC curves of a pool or of the mean, with those of the runs of this repeat."""
    runs = [
        run.evaluation
        for run in report.runs
        if run.evaluation and pool in (None, report.pools.get(run.repeat))
    ]
    texts = {name: _auc_text(pool, report, name) for name in report.classes}
    return inline_svg(group_roc_plot(pool, runs, texts), name=prefix)


def _auc_text(pool: EvaluationResult | None, report: GroupReport, class_name: str) -> str:
    mean = f"{report.mean_title} {format_with_interval(report.means['auc', class_name].estimate)}"
    pooled = "" if pool is None else f"pooled {format_with_interval(pool.estimate('auc', class_name))}\n"
    return f"AUC: {pooled}{mean}"
