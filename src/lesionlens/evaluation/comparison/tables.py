"""Tables of a comparison for the terminal, for 80 and for 100 columns."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.comparison.result import ComparisonReport, MetricComparison
from lesionlens.evaluation.formatting import (
    format_difference,
    format_metric,
    format_metric_direction,
    format_p_value,
    format_value,
)
from lesionlens.evaluation.registry import METRICS

_WIDE_LAYOUT_WIDTH = 100  # fits the name of the test in each row, and the longest class name of the taxonomy


@dataclass(frozen=True)
class ComparisonTable:
    """Renderable for `rich.console.Console.print`: one table per pair, then explanations and caveats."""

    report: ComparisonReport

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield tables with the tests in columns if they fit the width, otherwise below the numbers."""
        report, wide = self.report, options.max_width >= _WIDE_LAYOUT_WIDTH
        percent = f"{100 * float(report.settings['confidence']):g} %"
        sample = f"{report.sample_description[0].upper()}{report.sample_description[1:]}"
        yield Text(f"{sample}; {percent} intervals", style="bold")
        for pair in report.group_by_pair():
            yield Text(f"\n{pair[0].first} − {pair[0].second}: {_direction(pair)}", style="bold")
            is_over_runs = pair[0].primary_test.unit == "runs"
            yield from _run_level_tables(pair, wide) if is_over_runs else _image_level_tables(pair, wide)
        yield Text(_explain_p(report))
        if report.settings.get("decision", "argmax") != "argmax":
            yield Text(f"Decision rule: {report.settings['decision']}; an image may have no predicted class.")
        yield from (Text(f"Note: {caveat}") for caveat in report.caveats)
        yield Text(RESEARCH_USE_NOTICE, style="italic")


def _direction(comparisons: Sequence[MetricComparison]) -> str:
    """Return which sign of a difference is better."""
    lower = [comparison for comparison in comparisons if METRICS[comparison.metric].lower_is_better]
    if len(lower) == len(comparisons):
        return "below zero the first is better"
    exception = ", and below zero where lower is better" if lower else ""
    return f"above zero the first is better{exception}"


def comparison_table(report: ComparisonReport) -> ComparisonTable:
    """Return a comparison as a renderable for `rich.console.Console.print`."""
    return ComparisonTable(report)


def _explain_p(report: ComparisonReport) -> str:
    n_tested = sum(not math.isnan(comparison.primary_test.p) for comparison in report.comparisons)
    if not n_tested:
        return "No difference could be tested."
    differences = "the only difference" if n_tested == 1 else f"all {n_tested} differences"
    return f"p: of no difference, two-sided. Holm: corrected for {differences} with a p."


def _image_level_tables(comparisons: Sequence[MetricComparison], wide: bool) -> Iterator[RenderableType]:
    table = _new_table(("p", "Holm"))
    if wide:
        table.add_column("Test", no_wrap=True)
    for comparison in comparisons:
        p_values = map(format_p_value, (comparison.primary_test.p, comparison.p_holm))
        test = (comparison.primary_test.test,) if wide else ()
        _add_row(table, *_leading_cells(comparison), *p_values, *test)
    yield table
    if not wide:
        yield Text(_list_tests(comparisons))


def _list_tests(comparisons: Sequence[MetricComparison]) -> str:
    """List the tests with the metrics whose p they provide; the most frequent one provides all others."""
    metrics: dict[str, list[str]] = {}
    for comparison in comparisons:
        name = format_metric(comparison.metric, comparison.scope)
        metrics.setdefault(comparison.primary_test.test, []).append(name)
    *few, most = sorted(metrics, key=lambda test: len(metrics[test]))
    listed = [f"{test} ({'; '.join(metrics[test])})" for test in few]
    return f"Test: {', '.join([*listed, f'{most} (all others)' if few else most])}."


def _run_level_tables(comparisons: Sequence[MetricComparison], wide: bool) -> Iterator[Table]:
    """Yield a table with a column of p for each test of the metric with the most tests; if narrow, two tables."""
    fullest = max(comparisons, key=lambda comparison: (len(comparison.tests), comparison.primary_test.n))
    first, *others = [result.test for result in fullest.tests]
    main = _new_table((f"p, {first}", "Holm", *(others if wide else ())))
    further = _new_table([f"p, {test}" for test in others], leading=())
    for comparison in comparisons:
        p_values = {result.test: format_p_value(result.p) for result in comparison.tests}
        additional = [p_values.get(test, "") for test in others]
        cells = _leading_cells(comparison)
        holm = format_p_value(comparison.p_holm)
        _add_row(main, *cells, p_values.get(first, ""), holm, *(additional if wide else ()))
        _add_row(further, cells[0], *additional)
    yield main
    if others and not wide:
        yield further


def _new_table(
    column_titles: Sequence[str], *, leading: Sequence[str] = ("First", "Second", "Difference")
) -> Table:
    """Return an empty table; the line above it names the first and the second model."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Metric", overflow="fold")
    for title in leading:
        table.add_column(title, justify="right", no_wrap=True)
    for title in column_titles:
        table.add_column(title, justify="right", overflow="fold", min_width=6)
    return table


def _add_row(table: Table, *cells: str) -> None:
    table.add_row(*map(Text, cells))  # not as markup: names may contain brackets


def _leading_cells(comparison: MetricComparison) -> tuple[str, ...]:
    return (
        format_metric_direction(comparison.metric, comparison.scope),
        format_value(comparison.values[0]),
        format_value(comparison.values[1]),
        format_difference(*comparison.interval_result[:3]),
    )
