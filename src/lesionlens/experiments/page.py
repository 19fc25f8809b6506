"""The page of a table or figure: published and measured side by side, its claims tested, how it was made."""

import math
from base64 import b64encode
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from lesionlens import __version__
from lesionlens.atomic import write_text
from lesionlens.errors import LesionLensError
from lesionlens.evaluation.evaluation import NOTICE
from lesionlens.evaluation.wording import TITLES, readable
from lesionlens.experiments.catalogue import PAPERS
from lesionlens.experiments.experiment import Experiment
from lesionlens.experiments.figures import Drawn, draw
from lesionlens.experiments.headline import headline
from lesionlens.experiments.made import made
from lesionlens.experiments.markdown import markdown
from lesionlens.experiments.metric import Metric
from lesionlens.experiments.number import INTERVALS
from lesionlens.experiments.ordering import MEANING
from lesionlens.experiments.results import Cell, Results
from lesionlens.experiments.shown import INSIDE, OUTSIDE, Writing
from lesionlens.experiments.verdict import Verdict, verdict
from lesionlens.experiments.verdict_files import write_csv, write_json
from lesionlens.explanation.quality_files import TITLES as OF_MAPS

LONG = 6  # columns beyond which paper lies on its side
MOST = 9  # columns side by side: more are neither read nor printed
SIGNS = {
    "holds": "✓", "same direction, not shown": "~", "opposite direction": "≁", "opposite, and shown": "✗",
    "no difference": "=", "the same run here": "=", "not run": "–",
}  # fmt: skip


def write_page(results: Results, folder: Path) -> Path:
    """Write ``table.html``, ``table.md``, ``table.csv``, ``verdict.json`` and ``figures/`` of an experiment.

    The page loads nothing from the network or the disk; unfinished and failed runs are told on it. Maps and generated
    sets that the columns ask for are measured now, once: they are kept in the runs' folders.

    Parameters
    ----------
    folder
        Of the page; what an earlier page left there is replaced file by file.

    Returns
    -------
    Path
        ``table.html``.

    Raises
    ------
    LesionLensError
        The folder cannot be written, or a finished run's records cannot be read.
    """
    found, now = verdict(results), datetime.now(UTC)
    figures, problem = _figures(results, folder / "figures")
    write_csv(folder / "table.csv", found)
    write_json(folder / "verdict.json", found, now)
    write_text(folder / "table.md", markdown(found, now))
    path = folder / "table.html"
    write_text(path, render(found, folder, figures=figures, problem=problem, now=now))
    return path


def render(found: Verdict, folder: Path, *, figures: list[Drawn], problem: str, now: datetime) -> str:
    """Write the page as HTML; ``problem`` says why there are no figures, or is ""."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("lesionlens.experiments"), PackageLoader("lesionlens.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    experiment, writing = found.results.experiment, Writing(found)
    return environment.get_template("table.html").render(
        found=found,
        results=found.results,
        experiment=experiment,
        paper=PAPERS.get(experiment.paper, ""),
        headline=headline(found),
        heads=[(metric.name, _meaning(metric, experiment)) for metric in experiment.metrics],
        groups=_groups(found, writing),
        orderings=[writing.ordering(each) for each in found.orderings],
        notes=writing.notes,
        signs=SIGNS,
        meanings={word: MEANING[word] for word in MEANING if word in {each.word for each in found.orderings}},
        intervals={
            kind: INTERVALS[kind]
            for kind in INTERVALS
            if kind in {each.interval_of for each in found.numbers}
        },
        marks=(INSIDE, OUTSIDE) if any(each.inside is not None for each in found.numbers) else (),
        published=any(each.published for each in found.numbers),
        figures=[(_embedded(each.path), each) for each in figures],
        problem=problem,
        made=made(found.results, folder),
        blocks=_blocks(len(experiment.metrics)),
        wide=len(experiment.metrics) > LONG,
        notice=NOTICE,
        version=__version__,
        date=now.strftime("%Y-%m-%d %H:%M UTC"),
    )


def _figures(results: Results, folder: Path) -> tuple[list[Drawn], str]:
    """Draw what there is; a figure that cannot be drawn must not cost the table."""
    try:
        return draw(results, folder), ""
    except LesionLensError as error:
        return [], str(error)


def _groups(found: Verdict, writing: Writing) -> list[tuple[str, list[dict[str, Any]]]]:
    """Give the rows under the headings of their groups, each with its written numbers."""
    rows = [
        {
            "row": row,
            "group": row.group,
            "numbers": [
                writing.number(found.number(row.name, metric.name))
                for metric in found.results.experiment.metrics
            ],
            "done": len(_cells(found.results, row.name, "finished")),
            "planned": len(_cells(found.results, row.name)),
            "twin": _twin(found.results, row.name),
        }
        for row in found.results.experiment.rows
    ]
    return [(group, list(each)) for group, each in groupby(rows, key=lambda row: row["group"])]


def _cells(results: Results, row: str, state: str = "") -> list[Cell]:
    return [cell for cell in results.cells if cell.row == row and state in ("", cell.state)]


def _blocks(columns: int) -> list[slice]:
    """Cut many columns into tables of about equal width, one below the other."""
    if not columns:
        return []
    width = math.ceil(columns / math.ceil(columns / MOST))
    return [slice(start, start + width) for start in range(0, columns, width)]


def _twin(results: Results, row: str) -> str:
    """Name the first row above that is of the very same runs, or ""."""
    above = [each.name for each in results.experiment.rows]
    above = above[: above.index(row)]
    own = {cell.folder.path for cell in _cells(results, row)}
    return next(
        (each for each in above if own and own == {cell.folder.path for cell in _cells(results, each)}), ""
    )


def _meaning(metric: Metric, experiment: Experiment) -> str:
    """Say under a column's head what it is."""
    if metric.mean_of:
        return f"mean of {', '.join(metric.mean_of)}"
    if metric.less:
        return f"{metric.less[0]} less {metric.less[1]}"
    if metric.metric in OF_MAPS:
        own = any(metric.name in row.maps for row in experiment.rows)
        what = f"{OF_MAPS[metric.metric]}, map {'of the row' if own else metric.map}"
    else:
        of = {"macro": "mean of classes", "weighted": "weighted mean", "all": "all images"}
        what = f"{TITLES.get(metric.metric, metric.metric)}, {of.get(metric.of, readable(metric.of))}"
    lower = "; lower is better" if metric.better == "lower" else ""
    return f"{what}{f', on {metric.set}' if metric.set else ''}{lower}"


def _embedded(path: Path) -> str:
    """Give a figure as a data address: the drawing with lines where there is one beside it."""
    lines = path.with_suffix(".svg")
    kind, file = ("svg+xml", lines) if lines.is_file() else ("png", path)
    return f"data:image/{kind};base64,{b64encode(file.read_bytes()).decode()}"
