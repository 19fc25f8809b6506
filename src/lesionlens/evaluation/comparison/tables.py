"""Tables of a comparison for the terminal."""

import math
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.comparison.result import ComparisonReport, MetricComparison
from lesionlens.evaluation.formatting import format_difference, format_metric, format_p_value, format_value


def comparison_table(report: ComparisonReport) -> Group:
    """Return a comparison as a `rich` renderable: one table per pair, then explanations and caveats."""
    return Group(*_renderables(report))


def _renderables(report: ComparisonReport) -> Iterator[RenderableType]:
    n_tested = sum(not math.isnan(comparison.primary_test.p) for comparison in report.comparisons)
    percent = f"{100 * float(report.settings['confidence']):g} %"
    sample = f"{report.sample_description[0].upper()}{report.sample_description[1:]}"
    yield Text(f"{sample}; {percent} intervals", style="bold")
    for pair in report.group_by_pair():
        yield Text(f"\n{pair[0].first} − {pair[0].second}: above zero the first is better", style="bold")
        yield _run_level_table(pair) if pair[0].primary_test.unit == "runs" else _image_level_table(pair)
    yield Text(f"p: of no difference, two-sided. Holm: corrected for all {n_tested} differences with a p.")
    if report.settings.get("decision", "argmax") != "argmax":
        yield Text(f"Decision rule: {report.settings['decision']}; an image may have no predicted class.")
    yield from (Text(f"Note: {caveat}") for caveat in report.caveats)
    yield Text(RESEARCH_USE_NOTICE, style="italic")


def _image_level_table(comparisons: Sequence[MetricComparison]) -> Table:
    table = _new_table(("p", "Holm"))
    table.add_column("Test", no_wrap=True)
    for comparison in comparisons:
        table.add_row(
            *_leading_cells(comparison),
            format_p_value(comparison.primary_test.p),
            format_p_value(comparison.p_holm),
            comparison.primary_test.test,
        )
    return table


def _run_level_table(comparisons: Sequence[MetricComparison]) -> Table:
    """Return a table with a column of p for each test of the metric with the most tests."""
    fullest = max(comparisons, key=lambda comparison: (len(comparison.tests), comparison.primary_test.n))
    tests = [result.test for result in fullest.tests]
    table = _new_table((f"p, {tests[0]}", "Holm", *tests[1:]))
    for comparison in comparisons:
        p_values = {result.test: format_p_value(result.p) for result in comparison.tests}
        primary, *additional = (p_values.get(test, "") for test in tests)
        table.add_row(*_leading_cells(comparison), primary, format_p_value(comparison.p_holm), *additional)
    return table


def _new_table(column_titles: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Metric", overflow="fold")
    for title in ("First", "Second"):  # named by the line above the table
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Difference", justify="right", no_wrap=True)
    for title in column_titles:
        table.add_column(title, justify="right", overflow="fold", min_width=6)
    return table


def _leading_cells(comparison: MetricComparison) -> tuple[str, ...]:
    return (
        format_metric(comparison.metric, comparison.scope),
        format_value(comparison.values[0]),
        format_value(comparison.values[1]),
        format_difference(*comparison.interval_result[:3]),
    )
