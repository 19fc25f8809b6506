"""Comparisons as tables for the terminal."""

import math
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.comparison.result import ComparisonReport, MetricComparison, SignificanceResult
from lesionlens.evaluation.compute import MACRO, OVERALL, WEIGHTED
from lesionlens.evaluation.formatting import METRIC_TITLES, UNDEFINED_SYMBOL, display_name

_SCOPE_SUFFIXES = {MACRO: ", mean of classes", WEIGHTED: ", weighted mean", OVERALL: ""}


def format_metric(comparison: MetricComparison) -> str:
    """Write what was measured, of what."""
    title = METRIC_TITLES[comparison.metric]
    return f"{title}{_SCOPE_SUFFIXES.get(comparison.scope, f', {display_name(comparison.scope)}')}"


def format_value(number: float) -> str:
    """Write a value with three digits."""
    return UNDEFINED_SYMBOL if math.isnan(number) else f"{number:.3f}"


def format_signed(number: float) -> str:
    """Write a difference with its sign, and none where nothing is left of it.

    Examples
    --------
    >>> format_signed(0.0213), format_signed(-0.0213), format_signed(-0.0001)
    ('+0.021', '−0.021', '0.000')
    """
    if math.isnan(number):
        return UNDEFINED_SYMBOL
    text = f"{abs(number):.3f}"
    sign = "" if float(text) == 0 else "+" if number > 0 else "−"
    return f"{sign}{text}"


def format_difference(result: SignificanceResult) -> str:
    """Write a difference and its interval."""
    if math.isnan(result.low):
        return format_signed(result.difference)
    return f"{format_signed(result.difference)} ({format_signed(result.low)} to {format_signed(result.high)})"


def format_p_value(p: float) -> str:
    """Write p with three digits, never as zero.

    Examples
    --------
    >>> format_p_value(0.0312), format_p_value(0.0004), format_p_value(float("nan"))
    ('0.031', '<0.001', '–')
    """
    if math.isnan(p):
        return UNDEFINED_SYMBOL
    return f"{p:.3f}" if p >= 0.0005 else "<0.001"


def comparison_table(report: ComparisonReport) -> Group:
    """Lay out for `rich` a table for each pair, then how to read them."""
    return Group(*_renderables(report))


def _renderables(report: ComparisonReport) -> Iterator[RenderableType]:
    tested = sum(not math.isnan(each.primary_test.p) for each in report.comparisons)
    percent = f"{100 * float(report.settings['confidence']):g} %"
    yield Text(
        f"{report.sample_description[0].upper()}{report.sample_description[1:]}; {percent} intervals",
        style="bold",
    )
    for pair in report.group_by_pair():
        yield Text(f"\n{pair[0].first} − {pair[0].second}: above zero the first is better", style="bold")
        yield _run_level_table(pair) if pair[0].primary_test.unit == "runs" else _image_level_table(pair)
    yield Text(f"p: of no difference, two-sided. Holm: corrected for all {tested} differences with a p.")
    if report.settings.get("decision", "argmax") != "argmax":
        yield Text(f"Decided by {report.settings['decision']}; an image may be decided for no class.")
    yield from (Text(f"Note: {note}") for note in report.caveats)
    yield Text(RESEARCH_USE_NOTICE, style="italic")


def _image_level_table(comparisons: Sequence[MetricComparison]) -> Table:
    table = _new_table(("p", "Holm"))
    table.add_column("p by", no_wrap=True)
    for each in comparisons:
        table.add_row(
            *_leading_cells(each),
            format_p_value(each.primary_test.p),
            format_p_value(each.p_holm),
            each.primary_test.test,
        )
    return table


def _run_level_table(comparisons: Sequence[MetricComparison]) -> Table:
    """Give a column of p to each test of the metric that has most; one without pairs has fewer."""
    fullest = max(comparisons, key=lambda each: (len(each.tests), each.primary_test.n))
    tests = [test.test for test in fullest.tests]
    table = _new_table((f"p, {tests[0]}", "Holm", *tests[1:]))
    for each in comparisons:
        said = {test.test: format_p_value(test.p) for test in each.tests}
        first, *others = (said.get(test, "") for test in tests)
        table.add_row(*_leading_cells(each), first, format_p_value(each.p_holm), *others)
    return table


def _new_table(column_titles: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Metric", overflow="fold")
    for head in ("First", "Second"):  # the line above names them
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("Difference", justify="right", no_wrap=True)
    for head in column_titles:
        table.add_column(head, justify="right", overflow="fold", min_width=6)
    return table


def _leading_cells(comparison: MetricComparison) -> tuple[str, ...]:
    return (
        format_metric(comparison),
        format_value(comparison.values[0]),
        format_value(comparison.values[1]),
        format_difference(comparison.interval_result),
    )
