"""An outcome as Markdown, short enough to be pasted where it is talked about."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from lesionlens import __version__
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.formatting import UNDEFINED_SYMBOL
from lesionlens.reproduction.formatting import (
    IN_INTERVAL_MARK,
    OUTSIDE_INTERVAL_MARK,
    FormattedCell,
    TableFormatter,
)
from lesionlens.reproduction.outcome import TableOutcome, summary_sentence
from lesionlens.reproduction.table_cells import INTERVAL_SOURCES


def outcome_to_markdown(outcome: TableOutcome, now: datetime) -> str:
    """Write summary, caveats, table, claims, differences and notes."""
    results, experiment, writing = outcome.results, outcome.results.spec, TableFormatter(outcome)
    lines = [f"# {experiment.title}: {experiment.caption}", "", f"**{summary_sentence(outcome)}**", ""]
    lines += [*_bullet_list(results.caveats), f"{experiment.source.rstrip('.')}. {RESEARCH_USE_NOTICE}", ""]
    lines += [*_table(outcome, writing), "", *_legend(outcome), ""]
    lines += [
        *_claims(outcome, writing),
        *_section("Done otherwise than in the paper, or not known", experiment.differences),
    ]
    lines += _section("Notes", [f"[{place}] {note}" for place, note in enumerate(writing.notes, 1)])
    failed = [
        f"{cell.row}, {cell.variant or 'run'} {cell.run}: {cell.message}"
        for cell in results.cells
        if cell.state == "failed"
    ]
    lines += _section("Failed runs", failed)
    done = sum(cell.state == "finished" for cell in results.cells)
    lines.append(
        f"{results.name}, profile {results.profile}: {done} of {len(results.cells)} runs finished. "
        f"LesionLens {__version__}, {now:%Y-%m-%d}."
    )
    return "\n".join(lines) + "\n"


def _table(outcome: TableOutcome, formatter: TableFormatter) -> Iterator[str]:
    experiment = outcome.results.spec
    columns = [metric.name for metric in experiment.columns]
    if not columns:
        return
    yield _table_row(["row", *columns])
    yield _table_row(["---"] * (len(columns) + 1))
    for row in experiment.rows:
        name = f"{row.group}: {row.name}" if row.group else row.name
        yield _table_row(
            [name, *(_cell(formatter.format_cell(outcome.cell(row.name, column))) for column in columns)]
        )


def _cell(formatted: FormattedCell) -> str:
    interval = f" ({formatted.interval})" if formatted.interval else ""
    published = f"; {formatted.published} {formatted.mark}".rstrip() if formatted.published else ""
    notes = f" [{', '.join(map(str, formatted.notes))}]" if formatted.notes else ""
    return f"{formatted.value}{interval}{published}{notes}"


def _legend(outcome: TableOutcome) -> Iterator[str]:
    if not outcome.cells:
        return
    kinds = {each.interval_source for each in outcome.cells}
    said = "; published" if any(each.published for each in outcome.cells) else ""
    intervals = (
        f"Interval over {kind}: {INTERVAL_SOURCES[kind]}." for kind in INTERVAL_SOURCES if kind in kinds
    )
    yield " ".join([f"Measured (95 % interval){said}.", *intervals])
    if outcome.is_comparable_to_paper:
        inside = f"{IN_INTERVAL_MARK} the published number lies in the measured interval"
        yield f"{inside}, {OUTSIDE_INTERVAL_MARK} it does not."


def _claims(outcome: TableOutcome, formatter: TableFormatter) -> Iterator[str]:
    if not outcome.claims:
        return
    yield from (
        "## Claims",
        "",
        _table_row(["claim", "in", "published", "measured (95 % interval)", "p (Holm)", "verdict"]),
    )
    yield _table_row(["---"] * 6)
    for each in outcome.claims:
        shown = formatter.format_claim(each)
        measured = f"{shown.difference} ({shown.interval})" if shown.interval else shown.difference
        by = f", {each.test}" if each.test else ""
        claim = f"{each.better} better than {each.worse}"
        yield _table_row([claim, each.column, shown.published, measured, f"{shown.p}{by}", each.verdict])
    yield ""


def _section(title: str, sentences: Iterable[str]) -> list[str]:
    listed = _bullet_list(sentences)
    return [f"## {title}", "", *listed] if listed else []


def _bullet_list(sentences: Iterable[str]) -> list[str]:
    lines = [f"- {' '.join(each.split())}" for each in sentences]
    return [*lines, ""] if lines else []


def _table_row(cells: Iterable[str]) -> str:
    return (
        "| "
        + " | ".join(" ".join(cell.split()).replace("|", "\\|") or UNDEFINED_SYMBOL for cell in cells)
        + " |"
    )
