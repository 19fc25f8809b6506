"""A verdict as Markdown, short enough to be pasted where it is talked about."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from lesionlens import __version__
from lesionlens.evaluation.evaluation import NOTICE
from lesionlens.evaluation.wording import UNDEFINED
from lesionlens.experiments.headline import headline
from lesionlens.experiments.number import INTERVALS
from lesionlens.experiments.shown import INSIDE, OUTSIDE, Shown, Writing
from lesionlens.experiments.verdict import Verdict


def markdown(found: Verdict, now: datetime) -> str:
    """Write headline, remarks, table, claims, departures and notes."""
    results, experiment, writing = found.results, found.results.experiment, Writing(found)
    lines = [f"# {experiment.title}: {experiment.caption}", "", f"**{headline(found)}**", ""]
    lines += [*_list(results.remarks), f"{experiment.source.rstrip('.')}. {NOTICE}", ""]
    lines += [*_table(found, writing), "", *_legend(found), ""]
    lines += [
        *_claims(found, writing),
        *_under("Done otherwise than in the paper, or not known", experiment.departures),
    ]
    lines += _under("Notes", [f"[{place}] {note}" for place, note in enumerate(writing.notes, 1)])
    failed = [
        f"{cell.row}, {cell.part or 'run'} {cell.run}: {cell.message}"
        for cell in results.cells
        if cell.state == "failed"
    ]
    lines += _under("Failed runs", failed)
    done = sum(cell.state == "finished" for cell in results.cells)
    lines.append(
        f"{results.name}, profile {results.profile}: {done} of {len(results.cells)} runs finished. "
        f"LesionLens {__version__}, {now:%Y-%m-%d}."
    )
    return "\n".join(lines) + "\n"


def _table(found: Verdict, writing: Writing) -> Iterator[str]:
    experiment = found.results.experiment
    columns = [metric.name for metric in experiment.metrics]
    if not columns:
        return
    yield _line(["row", *columns])
    yield _line(["---"] * (len(columns) + 1))
    for row in experiment.rows:
        name = f"{row.group}: {row.name}" if row.group else row.name
        yield _line([name, *(_cell(writing.number(found.number(row.name, column))) for column in columns)])


def _cell(shown: Shown) -> str:
    interval = f" ({shown.interval})" if shown.interval else ""
    published = f"; {shown.published} {shown.mark}".rstrip() if shown.published else ""
    notes = f" [{', '.join(map(str, shown.notes))}]" if shown.notes else ""
    return f"{shown.value}{interval}{published}{notes}"


def _legend(found: Verdict) -> Iterator[str]:
    if not found.numbers:
        return
    kinds = {each.interval_of for each in found.numbers}
    said = "; published" if any(each.published for each in found.numbers) else ""
    intervals = (f"Interval over {kind}: {INTERVALS[kind]}." for kind in INTERVALS if kind in kinds)
    yield " ".join([f"Measured (95 % interval){said}.", *intervals])
    if found.comparable:
        yield f"{INSIDE} the published number lies in the measured interval, {OUTSIDE} it does not."


def _claims(found: Verdict, writing: Writing) -> Iterator[str]:
    if not found.orderings:
        return
    yield from (
        "## Claims",
        "",
        _line(["claim", "in", "published", "measured (95 % interval)", "p (Holm)", "verdict"]),
    )
    yield _line(["---"] * 6)
    for each in found.orderings:
        shown = writing.ordering(each)
        measured = f"{shown.difference} ({shown.interval})" if shown.interval else shown.difference
        by = f", {each.test}" if each.test else ""
        claim = f"{each.better} better than {each.than}"
        yield _line([claim, each.column, shown.published, measured, f"{shown.p}{by}", each.word])
    yield ""


def _under(head: str, sentences: Iterable[str]) -> list[str]:
    listed = _list(sentences)
    return [f"## {head}", "", *listed] if listed else []


def _list(sentences: Iterable[str]) -> list[str]:
    lines = [f"- {' '.join(each.split())}" for each in sentences]
    return [*lines, ""] if lines else []


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") or UNDEFINED for cell in cells) + " |"
