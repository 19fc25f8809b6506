"""Tables of the results by subgroup for the terminal, and the sentences that report differences."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.formatting import (
    UNDEFINED_SYMBOL,
    display_name,
    format_difference,
    format_interval,
    format_metric,
    format_p_value,
    format_value,
)
from lesionlens.evaluation.metric import MetricKey
from lesionlens.evaluation.registry import METRICS
from lesionlens.evaluation.subgroups.result import (
    FAMILY_ALPHA,
    MIN_GROUP_LESIONS,
    Subgroup,
    SubgroupMetric,
    SubgroupReport,
)

_WIDE_LAYOUT_WIDTH = 100
_WIDE_METRICS, _NARROW_METRICS = 3, 2  # per table
_MARK, _WORST_MARK, _PARTIAL_MARK = "*", "↓", "†"


@dataclass(frozen=True)
class SubgroupTables:
    """Renderable for `rich.console.Console.print`: tables of each column, differences and caveats."""

    report: SubgroupReport

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield tables of three metrics each if they fit the width, otherwise of two."""
        report = self.report
        size = _WIDE_METRICS if options.max_width >= _WIDE_LAYOUT_WIDTH else _NARROW_METRICS
        for column, groups in report.by_column().items():
            yield Text()
            yield Text(f"By {display_name(column)}", style="bold")
            for start in range(0, len(report.keys), size):
                yield from [Text()] if start else []
                yield _table(groups, report.keys[start : start + size], show_sizes=start == 0)
        yield Text()
        yield from map(Text, describe_subgroups(report))
        if any(metric.excluded_classes for group in report.subgroups for metric in group.metrics):
            yield Text(
                f"{_PARTIAL_MARK}: an average over the classes that the group and all other images have."
            )
        for caveat in report.caveats:
            yield Text(f"Note: {caveat}")
        yield Text(RESEARCH_USE_NOTICE, style="italic")


def _table(groups: Sequence[Subgroup], keys: Sequence[MetricKey], *, show_sizes: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Group", overflow="fold")
    for title in ("Images", "Lesions") if show_sizes else ():
        table.add_column(title, justify="right")
    for key in keys:
        table.add_column(format_metric(*key), justify="right")
    worst = {key: worst_group(groups, key) for key in keys}
    for group in groups:
        sizes = [f"{group.n_images:,}", f"{group.n_lesions:,}"] if show_sizes else []
        cells = [_cell(group.metric(key)) + _WORST_MARK * (group is worst[key]) for key in keys]
        table.add_row(*map(Text, (display_name(group.name), *sizes, *cells)))
    return table


def _cell(metric: SubgroupMetric) -> str:
    """Return value and interval, marked if the group differs from the rest, and if an average excludes classes."""
    if math.isnan(metric.value):
        return UNDEFINED_SYMBOL
    interval = format_interval(metric.low, metric.high)
    text = f"{format_value(metric.value)} ({interval})" if interval else format_value(metric.value)
    return text + _MARK * metric.is_significant + _PARTIAL_MARK * bool(metric.excluded_classes)


def describe_subgroups(report: SubgroupReport) -> list[str]:
    """Return sentences: which groups differ from the rest, and the worst group of each metric and column."""
    if not report.n_resamples:
        return ["Without resamples there are neither intervals nor tests."]
    lines = [_tests_line(report)]
    lines += [f"  {describe_difference(group, metric)}" for group, metric in _distinct_differences(report)]
    lines.append(
        f"Worst groups ({_WORST_MARK}; of those with {MIN_GROUP_LESIONS} lesions or more) by "
        f"{format_metric(*report.keys[0])}: its value, and the difference from all other images:"
    )
    return lines + [f"  {line}" for line in _worst_lines(report)]


def _tests_line(report: SubgroupReport) -> str:
    tests = pluralize(report.n_tests, "test")
    if report.differing():
        return (
            f"Groups that differ from all other images ({_MARK}: p below {FAMILY_ALPHA} after Holm's correction "
            f"for {tests}):"
        )
    return (
        f"No group differs from all other images: no p is below {FAMILY_ALPHA} after Holm's correction for "
        f"{tests}. Small groups can hide large differences: see the intervals."
    )


def _distinct_differences(report: SubgroupReport) -> Iterator[tuple[Subgroup, SubgroupMetric]]:
    """Yield each difference once: of two groups that are all images of a column, only the worse one."""
    by_column = report.by_column()
    for group, metric in report.differing():
        others = [other for other in by_column[group.column] if other is not group]
        is_pair = len(others) == 1
        if not is_pair or is_worse(metric, others[0].metric(metric.key)):
            yield group, metric


def describe_difference(group: Subgroup, metric: SubgroupMetric) -> str:
    """Return a group, its value, and its difference from all other images with interval and p-value."""
    difference = format_difference(metric.difference, metric.difference_low, metric.difference_high)
    p = "" if math.isnan(metric.p_holm) else f", p {format_p_value(metric.p_holm)}"
    title = format_metric(metric.metric, metric.scope)
    name = f"{display_name(group.column)} {display_name(group.name)}"
    return f"{name}: {title} {format_value(metric.value)}, {difference}{p}"


def _worst_lines(report: SubgroupReport) -> Iterator[str]:
    for groups in report.by_column().values():
        worst = worst_group(groups, report.keys[0])
        if worst is not None:
            yield describe_difference(worst, worst.metric(report.keys[0]))


def is_worse(metric: SubgroupMetric, other: SubgroupMetric) -> bool:
    """Return whether a value is worse than another one of the same metric."""
    if METRICS[metric.metric].lower_is_better:
        return metric.value > other.value
    return metric.value < other.value


def worst_group(groups: Sequence[Subgroup], key: MetricKey) -> Subgroup | None:
    """Return the group with the worst value among those with enough lesions; None if fewer than two have a value.

    Of several groups, the worst one is partly the worst by chance: its value is biased, the corrected p-value is not.
    """
    candidates = [
        group
        for group in groups
        if group.n_lesions >= MIN_GROUP_LESIONS
        and not math.isnan(group.metric(key).value)
        and not group.metric(key).excluded_classes
    ]
    if len(candidates) < 2:
        return None
    worst = candidates[0]
    for group in candidates[1:]:
        worst = group if is_worse(group.metric(key), worst.metric(key)) else worst
    return worst
