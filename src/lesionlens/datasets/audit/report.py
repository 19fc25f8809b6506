"""Audit reports: terminal output, ``audit.json``, ``duplicates.csv`` and a contact sheet of duplicate pairs."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lesionlens.core.figure_style import (
    FIGURE_DPI,
    NORMAL_FONT_SIZE,
    TINY_FONT_SIZE,
    figure_style,
    figure_text,
    place_axes,
    place_text,
    save_figure,
    warn_about_missing_glyphs,
)
from lesionlens.core.fileio import atomic_write
from lesionlens.core.fonts import text_height, wrap_text
from lesionlens.core.json_file import write_json
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.datasets.audit.audit import NO_SPLITS, Audit, DuplicateFinding, Finding, ImageRef
from lesionlens.datasets.issues import pluralize
from lesionlens.imaging.decode import read_rgb

MAX_CASES_SHOWN = 5  # cases per kind in the terminal; audit.json contains all
_SEVERITY_STYLES = {"leak": "bold red", "conflict": "bold yellow", "note": "bold"}


def format_audit(audit: Audit) -> RenderableType:
    """Return an audit for the terminal: findings with a few cases each, leaks first, then shortcuts and artifacts."""
    sources = ", ".join(f"{name} ({pluralize(images, 'image')})" for name, images in audit.sources)
    has_splits = all(finding.kind != NO_SPLITS for finding in audit.findings)
    splits = audit.split_description or ("the official splits" if has_splits else "none")
    head = Text(f"Audit of {sources}\nSplits: {splits}\n")
    compared = [*["splits"] * has_splits, *["datasets"] * (len(audit.sources) > 1)]
    if compared and not any(finding.severity == "leak" for finding in audit.findings):
        head.append(f"No leak found between {' or '.join(compared)}.\n", style="bold green")
    blocks: list[RenderableType] = [head, *map(_format_finding, audit.findings)]
    if audit.shortcuts:
        blocks.append(_shortcut_table(audit))
    if audit.artifacts:
        blocks.append(_artifact_table(audit))
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
    for name in ("column", "values", "balanced accuracy", "chance", "coverage", ""):
        table.add_column(name, justify="left" if name in {"column", ""} else "right")
    for shortcut in audit.shortcuts:
        numbers = (shortcut.balanced_accuracy, shortcut.chance, shortcut.coverage)
        cells = [f"{number:.2f}" for number in numbers]
        table.add_row(
            shortcut.column, str(shortcut.num_values), *cells, "strong" if shortcut.is_strong else ""
        )
    head = Text("Prediction of the class from a single column, without the image", style="bold")
    return Group(head, table, Text())


def _artifact_table(audit: Audit) -> RenderableType:
    table = Table(box=None, header_style="bold", pad_edge=False, title_justify="left")
    for name in ("artifact", "lowest rate", "highest rate", "Cramér's V", "95 % interval", "p"):
        is_text = name.endswith(("rate", "artifact"))
        table.add_column(name, justify="left" if is_text else "right", overflow="fold")
    for item in audit.artifacts:
        rates = sorted(item.rates, key=lambda rate: rate.fraction)
        p_value = "< 0.0001" if item.p_value < 1e-4 else f"{item.p_value:.4f}"
        interval = f"{item.low:.2f}–{item.high:.2f}" if math.isfinite(item.low) else "–"
        table.add_row(
            item.artifact, str(rates[0]), str(rates[-1]), f"{item.cramers_v:.2f}", interval, p_value
        )
    return Group(Text("Association of artifacts with the class", style="bold"), table, Text())


def write_audit(audit: Audit, folder: Path) -> None:
    """Write ``audit.json`` (the complete audit) and ``duplicates.csv`` (the duplicate pairs) to a directory."""
    content = {
        "notice": RESEARCH_USE_NOTICE,
        "sources": dict(audit.sources),
        "split_description": audit.split_description,
        "findings": [
            {
                "kind": finding.kind,
                "severity": finding.severity,
                "count": len(finding.cases),
                "cases": list(finding.cases),
            }
            for finding in audit.findings
        ],
        "shortcuts": [{**item._asdict(), "is_strong": item.is_strong} for item in audit.shortcuts],
        "artifacts": [
            {**item._asdict(), "rates": [rate._asdict() for rate in item.rates]} for item in audit.artifacts
        ],
        "duplicates": [_pair_row(pair) for pair in audit.duplicates],
    }
    write_json(folder / "audit.json", content)
    with (
        atomic_write(folder / "duplicates.csv") as file,
        file.open("w", newline="", encoding="utf-8") as stream,
    ):
        sides = [f"{side}_{name}" for side in ("first", "second") for name in ImageRef._fields]
        writer = csv.DictWriter(stream, ["kind", "similarity", "scope", *sides])
        writer.writeheader()
        writer.writerows(_pair_row(pair) for pair in audit.duplicates)


def _pair_row(pair: DuplicateFinding) -> dict[str, str]:
    sides = {
        f"{name}_{field}": value
        for name, side in (("first", pair.first), ("second", pair.second))
        for field, value in side._asdict().items()
    }
    return {"kind": pair.kind, "similarity": f"{pair.similarity:.3f}", "scope": pair.scope, **sides}


PAIRS_PER_ROW, ROWS_PER_PAGE = 3, 7
_A4 = (8.27, 11.69)  # inches
_MARGIN, _MAX_CAPTION_LINES = 0.33, 3  # inches, which printers need; lines above a pair
_IMAGE_SIDE, _PAIR_GAP = 300, 8  # pixels: side of an image, and gap between the two images of a pair
_SCOPE_ORDER = ("across splits", "across datasets", "within a dataset")


def write_duplicate_contact_sheet(pairs: Sequence[DuplicateFinding], file: Path) -> None:
    """Write a one-page PNG with up to 21 duplicate pairs, those across splits first; no file if there is no pair.

    Each image is shown in the orientation of its file, resized to a square.

    Warns
    -----
    UserWarning
        Characters are in no installed font, so that the page shows boxes instead.
    """
    if not pairs:
        return
    figure = contact_sheet_figure(pairs)
    with atomic_write(file) as partial:
        save_figure(figure, partial, suffix="png")
    warn_about_missing_glyphs(figure_text(figure), "PNG")


@figure_style()
def contact_sheet_figure(pairs: Sequence[DuplicateFinding]) -> Figure:
    """Return the page of duplicate pairs, at least one."""
    ordered = sorted(pairs, key=lambda pair: (_SCOPE_ORDER.index(pair.scope), -pair.similarity))
    shown = ordered[: PAIRS_PER_ROW * ROWS_PER_PAGE]
    count = f"{len(shown)} of {len(pairs)} pairs" if len(shown) < len(pairs) else "all pairs"
    figure = Figure(figsize=_A4, dpi=FIGURE_DPI)
    title = f"Duplicate images: {count}. {RESEARCH_USE_NOTICE}"
    place_text(figure, title, left=_MARGIN, top=_MARGIN, fontsize=NORMAL_FONT_SIZE)
    column_width, row_height = (_A4[0] - _MARGIN) / PAIRS_PER_ROW, (_A4[1] - 2.3 * _MARGIN) / ROWS_PER_PAGE
    pair_width = column_width - _MARGIN
    for number, pair in enumerate(shown):
        row, column = divmod(number, PAIRS_PER_ROW)
        left, top = _MARGIN + column * column_width, 1.7 * _MARGIN + row * row_height
        place_text(figure, _caption(pair, pair_width), left=left, top=top, fontsize=TINY_FONT_SIZE)
        image_top = top + _MAX_CAPTION_LINES * text_height("", TINY_FONT_SIZE) + 0.04
        height = pair_width * _IMAGE_SIDE / (2 * _IMAGE_SIDE + _PAIR_GAP)
        axes = place_axes(figure, left=left, top=image_top, width=pair_width, height=height)
        axes.set_axis_off()
        axes.imshow(
            np.hstack([_load_square(pair.first), _blank_gap(), _load_square(pair.second)]), aspect="auto"
        )
    return figure


def _load_square(image_ref: ImageRef) -> NDArray[np.uint8]:
    image = read_rgb(Path(image_ref.path), max_short_side=_IMAGE_SIDE, draft=True)
    return np.asarray(
        cv2.resize(image, (_IMAGE_SIDE, _IMAGE_SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8
    )


def _blank_gap() -> NDArray[np.uint8]:
    return np.full((_IMAGE_SIDE, _PAIR_GAP, 3), 255, dtype=np.uint8)


def _caption(pair: DuplicateFinding, width: float) -> str:
    """Return scope and similarity, and one line for each image."""
    similarity = "identical files" if pair.kind == "exact" else f"similarity {pair.similarity:.2f}"
    lines = [f"{pair.scope}, {similarity}", str(pair.first), str(pair.second)]
    return "\n".join(wrap_text(line, width, TINY_FONT_SIZE, max_lines=1) for line in lines)
