"""An audit as people and programs read it: text for a terminal, ``audit.json`` and ``pairs.csv``."""

import csv
import json
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lesionlens.atomic import replacing, write_text
from lesionlens.data.audit.audit import Audit
from lesionlens.data.audit.copies import Copy, Place
from lesionlens.data.audit.finding import Finding
from lesionlens.data.problems import counted

NOTICE = "Research use only, not a medical device."
SHOWN = 5  # cases of a kind in the terminal; all are in audit.json
_COLOURS = {"leak": "bold red", "conflict": "bold yellow", "note": "bold"}


def audit_text(found: Audit) -> RenderableType:
    """Lay an audit out for a terminal: leaks first, a few cases of each kind, then what columns tell."""
    sources = ", ".join(f"{name} ({counted(images, 'image')})" for name, images in found.sources)
    head = Text(f"Audit of {sources}\nParts: {found.split or 'the official ones, where there are any'}\n")
    if not any(each.severity == "leak" for each in found.findings):
        head.append("No leak found between parts or data sets.\n", style="bold green")
    blocks: list[RenderableType] = [head, *map(_finding, found.findings)]
    if found.shortcuts:
        blocks.append(_shortcuts(found))
    return Group(*blocks, Text(NOTICE, style="dim"))


def _finding(finding: Finding) -> RenderableType:
    head = Text(f"{finding.severity}: ", style=_COLOURS[finding.severity])
    head.append(f"{finding.kind}: {len(finding.cases):,}", style="default")
    cases = [*finding.cases[:SHOWN]]
    if len(finding.cases) > SHOWN:
        cases.append(f"… and {len(finding.cases) - SHOWN:,} more")
    return Group(head, *(Padding(Text(case), (0, 0, 0, 2), expand=False) for case in cases), Text())


def _shortcuts(found: Audit) -> RenderableType:
    table = Table(box=None, header_style="bold", pad_edge=False, title_justify="left")
    for name in ("column alone", "values", "balanced accuracy", "chance", "reach", ""):
        table.add_column(name, justify="left" if name in {"column alone", ""} else "right")
    for each in found.shortcuts:
        numbers = (each.balanced_accuracy, each.chance, each.reach)
        words = [f"{number:.2f}" for number in numbers]
        table.add_row(each.column, str(each.values), *words, "strong" if each.strong else "")
    head = Text("How well the class is told without looking at the lesion", style="bold")
    return Group(head, table, Text())


def write_audit(found: Audit, folder: Path) -> None:
    """Write ``audit.json`` (everything) and ``pairs.csv`` (the copies) into a folder."""
    content = {
        "notice": NOTICE,
        "sources": dict(found.sources),
        "split": found.split,
        "findings": [
            {
                "kind": each.kind,
                "severity": each.severity,
                "count": len(each.cases),
                "cases": list(each.cases),
            }
            for each in found.findings
        ],
        "shortcuts": [{**each._asdict(), "strong": each.strong} for each in found.shortcuts],
        "pairs": [_row(pair) for pair in found.copies],
    }
    write_text(folder / "audit.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    with replacing(folder / "pairs.csv") as file, file.open("w", newline="", encoding="utf-8") as stream:
        sides = [f"{side}_{name}" for side in ("first", "second") for name in Place._fields]
        writer = csv.DictWriter(stream, ["kind", "likeness", "where", *sides])
        writer.writeheader()
        writer.writerows(_row(pair) for pair in found.copies)


def _row(pair: Copy) -> dict[str, str]:
    sides = {
        f"{name}_{field}": value
        for name, side in (("first", pair.first), ("second", pair.second))
        for field, value in side._asdict().items()
    }
    return {"kind": pair.kind, "likeness": f"{pair.likeness:.3f}", "where": pair.where, **sides}
