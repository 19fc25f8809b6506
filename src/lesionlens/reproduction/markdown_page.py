"""Outcome of a table as Markdown, short enough to paste into an issue or a discussion."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from lesionlens import __version__
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.formatting import UNDEFINED_SYMBOL
from lesionlens.reproduction.crop_variance import CROP_VARIANCE_TITLES, crop_variance_rows
from lesionlens.reproduction.formatting import (
    IN_INTERVAL_MARK,
    OUTSIDE_INTERVAL_MARK,
    FormattedCell,
    TableFormatter,
    format_attribute,
)
from lesionlens.reproduction.outcome import TableOutcome, summary_sentence
from lesionlens.reproduction.paper_test import paper_test_lines
from lesionlens.reproduction.planner import TableResults
from lesionlens.reproduction.table_cells import INTERVAL_SOURCES
from lesionlens.reproduction.table_variants import VARIANT_TITLES


def outcome_to_markdown(outcome: TableOutcome, now: datetime) -> str:
    """Return summary, caveats, table, claims, differences and notes in Markdown."""
    results, spec, formatter = outcome.results, outcome.results.spec, TableFormatter(outcome)
    lines = [f"# {spec.title}: {spec.caption}", "", f"**{summary_sentence(outcome)}**", ""]
    lines += [*_bullet_list(results.caveats), f"{spec.source.rstrip('.')}. {RESEARCH_USE_NOTICE}", ""]
    lines += [*_table(outcome, formatter), "", *_legend(outcome), ""]
    lines += [
        *_single_runs(formatter),
        *_crop_variance(results),
        *_claims(outcome, formatter),
        *_paper_test(outcome, formatter),
    ]
    lines += [
        *_section("The authors' code and the text", _code_differences(outcome)),
        *_section("Differences from the paper, and open details", spec.differences),
    ]
    lines += _section("Notes", [f"[{number}] {note}" for number, note in enumerate(formatter.notes, 1)])
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
    spec = outcome.results.spec
    columns = [column.name for column in spec.columns]
    if not columns:
        return
    yield _table_row(["row", *spec.attributes, *columns])
    yield _table_row(["---"] * (len(spec.attributes) + len(columns) + 1))
    for row in spec.rows:
        name = f"{row.group}: {row.name}" if row.group else row.name
        attributes = [format_attribute(row.attributes.get(key, "")) for key in spec.attributes]
        cells = [_cell(formatter.format_cell(outcome.cell(row.name, column))) for column in columns]
        yield _table_row([name, *attributes, *cells])


def _cell(formatted: FormattedCell) -> str:
    interval = f" ({formatted.interval})" if formatted.interval else ""
    published = f"; {formatted.published} {formatted.mark}".rstrip() if formatted.published else ""
    notes = f" [{', '.join(map(str, formatted.notes))}]" if formatted.notes else ""
    return f"{formatted.value}{interval}{published}{notes}"


def _legend(outcome: TableOutcome) -> Iterator[str]:
    if not outcome.cells:
        return
    sources = {cell.interval_source for cell in outcome.cells}
    published = "; published" if any(cell.published for cell in outcome.cells) else ""
    intervals = (
        f"Interval over {source}: {label}." for source, label in INTERVAL_SOURCES.items() if source in sources
    )
    yield " ".join([f"Measured (95 % interval){published}.", *intervals])
    if outcome.is_comparable_to_paper:
        inside = f"{IN_INTERVAL_MARK} the published number is in the measured interval"
        yield f"{inside}, {OUTSIDE_INTERVAL_MARK} it is not."


def _claims(outcome: TableOutcome, formatter: TableFormatter) -> Iterator[str]:
    if not outcome.claims:
        return
    yield from (
        "## Claims",
        "",
        _table_row(["claim", "in", "published", "measured (95 % interval)", "p (Holm)", "verdict"]),
    )
    yield _table_row(["---"] * 6)
    for claim in outcome.claims:
        text = formatter.format_claim(claim)
        measured = f"{text.difference} ({text.interval})" if text.interval else text.difference
        test = f", {claim.test}" if claim.test else ""
        yield _table_row(
            [claim.statement, claim.subject, text.published, measured, f"{text.p}{test}", claim.verdict]
        )
    yield ""


def _single_runs(formatter: TableFormatter) -> Iterator[str]:
    for column, runs, rows in formatter.format_runs():
        yield from (f"## {column} of each run", "", _table_row(["row", *runs]))
        yield _table_row(["---"] * (len(runs) + 1))
        yield from (_table_row([row, *values]) for row, values in rows)
        yield ""


def _crop_variance(results: TableResults) -> Iterator[str]:
    rows = crop_variance_rows(results)
    if rows:
        yield from ("## Variance from random test crops", "", _table_row(CROP_VARIANCE_TITLES))
        yield _table_row(["---"] * len(CROP_VARIANCE_TITLES))
        yield from (*map(_table_row, rows), "")


def _paper_test(outcome: TableOutcome, formatter: TableFormatter) -> Iterator[str]:
    lines = paper_test_lines(outcome)
    if lines:
        headings = [
            "values and test",
            "means",
            "t",
            "df",
            "rejects below",
            "p, one-sided",
            "conclusion",
            "note",
        ]
        yield from ("## The paper's own test", "", _table_row(headings), _table_row(["---"] * len(headings)))
        yield from (_table_row(formatter.format_paper_test(line)) for line in lines)
        yield ""


def _code_differences(outcome: TableOutcome) -> Iterator[str]:
    results = outcome.results
    if results.code_differences:
        yield VARIANT_TITLES[results.variant]
    for difference in results.code_differences:
        yield f"{difference.point}: {difference.paper} (text); {difference.code} (authors' code)."


def _section(title: str, sentences: Iterable[str]) -> list[str]:
    bullets = _bullet_list(sentences)
    return [f"## {title}", "", *bullets] if bullets else []


def _bullet_list(sentences: Iterable[str]) -> list[str]:
    lines = [f"- {' '.join(sentence.split())}" for sentence in sentences]
    return [*lines, ""] if lines else []


def _table_row(cells: Iterable[str]) -> str:
    return (
        "| "
        + " | ".join(" ".join(cell.split()).replace("|", "\\|") or UNDEFINED_SYMBOL for cell in cells)
        + " |"
    )
