"""An audit as people and programs read it: text for a terminal, ``audit.json`` and ``pairs.csv``."""

import csv
import json
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lesionlens.atomic import atomic_write, write_text
from lesionlens.data.audit.audit import Audit
from lesionlens.data.audit.copies import DuplicateFinding, ImageRef
from lesionlens.data.audit.finding import Finding
from lesionlens.data.problems import pluralize

RESEARCH_USE_NOTICE = "Research use only, not a medical device."
MAX_CASES_SHOWN = 5  # cases of a kind in the terminal; all are in audit.json
_SEVERITY_STYLES = {"leak": "bold red", "conflict": "bold yellow", "note": "bold"}


def format_audit(audit: Audit) -> RenderableType:
    """Lay an audit out for a terminal: leaks first, a few cases of each kind, then what columns tell."""
    sources = ", ".join(f"{name} ({pluralize(images, 'image')})" for name, images in audit.sources)
    head = Text(f"Audit of {sources}\nParts: {audit.split_description or 'the official ones, where there are any'}\n")
    if not any(each.severity == "leak" for each in audit.findings):
        head.append("No leak found between parts or data sets.\n", style="bold green")
    blocks: list[RenderableType] = [head, *map(_format_finding, audit.findings)]
    if audit.shortcuts:
        blocks.append(_shortcut_table(audit))
    return Group(*blocks, Text(RESEARCH_USE_NOTICE, style="dim"))


def _format_finding(finding: Finding) -> RenderableType:
    head = Text(f"{finding.severity}: ", style=_SEVERITY_STYLES[finding.severity])
    head.append(f"{finding.kind}: {len(finding.cases):,}", style="default")
    cases = [*finding.cases[:MAX_CASES_SHOWN]]
    if len(finding.cases) > MAX_CASES_SHOWN:
        cases.append(f"… and {len(finding.cases) - MAX_CASES_SHOWN:,} more")
    return Group(head, *(Padding(Text(case), (0, 0, 0, 2), expand=False) for case in cases), Text())


def _shortcut_table(audit: Audit) -> RenderableType:
    table = Table(box=None, header_style="bold", pad_edge=False, title_justify="left")
    for name in ("column alone", "values", "balanced accuracy", "chance", "reach", ""):
        table.add_column(name, justify="left" if name in {"column alone", ""} else "right")
    for each in audit.shortcuts:
        numbers = (each.balanced_accuracy, each.chance, each.coverage)
        words = [f"{number:.2f}" for number in numbers]
        table.add_row(each.column, str(each.num_values), *words, "strong" if each.is_strong else "")
    head = Text("How well the class is told without looking at the lesion", style="bold")
    return Group(head, table, Text())


def write_audit(audit: Audit, folder: Path) -> None:
    """Write ``audit.json`` (everything) and ``pairs.csv`` (the copies) into a folder."""
    content = {
        "notice": RESEARCH_USE_NOTICE,
        "sources": dict(audit.sources),
        "split": audit.split_description,
        "findings": [
            {
                "kind": each.kind,
                "severity": each.severity,
                "count": len(each.cases),
                "cases": list(each.cases),
            }
            for each in audit.findings
        ],
        "shortcuts": [{**each._asdict(), "strong": each.is_strong} for each in audit.shortcuts],
        "pairs": [_pair_row(pair) for pair in audit.duplicates],
    }
    write_text(folder / "audit.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    with atomic_write(folder / "pairs.csv") as file, file.open("w", newline="", encoding="utf-8") as stream:
        sides = [f"{side}_{name}" for side in ("first", "second") for name in ImageRef._fields]
        writer = csv.DictWriter(stream, ["kind", "likeness", "where", *sides])
        writer.writeheader()
        writer.writerows(_pair_row(pair) for pair in audit.duplicates)


def _pair_row(pair: DuplicateFinding) -> dict[str, str]:
    sides = {
        f"{name}_{field}": value
        for name, side in (("first", pair.first), ("second", pair.second))
        for field, value in side._asdict().items()
    }
    return {"kind": pair.kind, "likeness": f"{pair.similarity:.3f}", "where": pair.scope, **sides}
