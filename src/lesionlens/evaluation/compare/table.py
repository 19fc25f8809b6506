"""Comparisons as tables for the terminal."""

from collections.abc import Iterator, Sequence
from math import isnan

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lesionlens.evaluation.compare.contrast import Contrast, Contrasts
from lesionlens.evaluation.compare.wording import difference, name_of, probability, value
from lesionlens.evaluation.evaluation import NOTICE


def comparison_table(found: Contrasts) -> Group:
    """Lay out for `rich` a table for each pair, then how to read them."""
    return Group(*_parts(found))


def _parts(found: Contrasts) -> Iterator[RenderableType]:
    tested = sum(not isnan(each.judged.p) for each in found.contrasts)
    percent = f"{100 * float(found.settings['confidence']):g} %"
    yield Text(f"{found.over[0].upper()}{found.over[1:]}; {percent} intervals", style="bold")
    for pair in found.pairs():
        yield Text(f"\n{pair[0].first} − {pair[0].second}: above zero the first is better", style="bold")
        yield _over_runs(pair) if pair[0].judged.unit == "runs" else _over_images(pair)
    yield Text(f"p: of no difference, two-sided. Holm: corrected for all {tested} differences with a p.")
    if found.settings.get("decision", "argmax") != "argmax":
        yield Text(f"Decided by {found.settings['decision']}; an image may be decided for no class.")
    yield from (Text(f"Note: {note}") for note in found.notes)
    yield Text(NOTICE, style="italic")


def _over_images(pair: Sequence[Contrast]) -> Table:
    table = _new(("p", "Holm"))
    table.add_column("p by", no_wrap=True)
    for each in pair:
        table.add_row(*_start(each), probability(each.judged.p), probability(each.holm), each.judged.test)
    return table


def _over_runs(pair: Sequence[Contrast]) -> Table:
    """Give a column of p to each test of the metric that has most; one without pairs has fewer."""
    fullest = max(pair, key=lambda each: (len(each.tests), each.judged.n))
    tests = [test.test for test in fullest.tests]
    table = _new((f"p, {tests[0]}", "Holm", *tests[1:]))
    for each in pair:
        said = {test.test: probability(test.p) for test in each.tests}
        first, *others = (said.get(test, "") for test in tests)
        table.add_row(*_start(each), first, probability(each.holm), *others)
    return table


def _new(heads: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Metric", overflow="fold")
    for head in ("First", "Second"):  # the line above names them
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("Difference", justify="right", no_wrap=True)
    for head in heads:
        table.add_column(head, justify="right", overflow="fold", min_width=6)
    return table


def _start(each: Contrast) -> tuple[str, ...]:
    return name_of(each), value(each.values[0]), value(each.values[1]), difference(each.interval)
