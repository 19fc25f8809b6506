"""From a run's folder to one page that needs nothing else."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lesionlens import __version__
from lesionlens.atomic import write_text
from lesionlens.evaluation.evaluation import NOTICE, Evaluation
from lesionlens.evaluation.figures import FIGURES
from lesionlens.evaluation.gathered import gathered_notes
from lesionlens.evaluation.wording import decided, readable
from lesionlens.report import numbers
from lesionlens.report.charts import balance_figure, gate_figure, learning_figure
from lesionlens.report.facts import facts
from lesionlens.report.gallery import choose
from lesionlens.report.pictures import shown
from lesionlens.report.reading import PARTS, Run, read_run
from lesionlens.report.remarks import remarks, spoken
from lesionlens.report.svg import inline


def build_report(run: Path) -> Path:
    """Write ``report.html`` into a run's folder from what lies there; images come from its folder ``maps``.

    The page loads nothing, from the network or the disk, and is the same for the same folder. What a run does
    not have (yet) is said on the page.

    Parameters
    ----------
    run
        A folder that training wrote; an unfinished run works too.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    RunError
        It is no run's folder, or it cannot be written.
    """
    path = Path(run) / "report.html"
    write_text(path, render(read_run(Path(run))))
    return path


def render(run: Run) -> str:
    """Write the page of a run as HTML."""
    environment = Environment(
        loader=PackageLoader("lesionlens.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["readable"] = readable
    return environment.get_template("page.html").render(
        run=run,
        notice=NOTICE,
        version=__version__,
        remarks=remarks(run),
        facts=facts(run),
        data=_data(run),
        learning=_learning(run),
        parts=[_measured(part, run.evaluations[part], run) for part in PARTS if part in run.evaluations],
        gallery=_gallery(run),
    )


def _data(run: Run) -> dict[str, Any]:
    recorded = run.record.get("data", {})
    parts = {part: recorded.get("parts", {}).get(part) for part in ("train", "validation", "test")}
    there = {part: found for part, found in parts.items() if found}
    counts = {part: found.get("classes", {}) for part, found in there.items()}
    classes = list(
        dict.fromkeys([*recorded.get("classes", []), *(name for found in counts.values() for name in found)])
    )
    chart = inline(balance_figure(counts), name="balance") if any(counts.values()) else None
    warnings = [spoken(str(each), run) for each in recorded.get("warnings", ())]
    return {"recorded": recorded, "parts": there, "classes": classes, "chart": chart, "warnings": warnings}


def _learning(run: Run) -> dict[str, Any]:
    if run.log is None:
        return {"curves": None, "gates": None}
    gates = gate_figure(run.log)
    return {
        "curves": inline(learning_figure(run.log, best=run.kept_epoch), name="learning"),
        "gates": None if gates is None else inline(gates, name="gates"),
    }


def _measured(part: str, evaluation: Evaluation, run: Run) -> dict[str, Any]:
    figures: dict[str, Markup] = {
        name: inline(make(evaluation), name=f"{part}-{name}") for name, make in FIGURES.items()
    }
    return {
        "name": part,
        "evaluation": evaluation,
        "decided": decided(evaluation),
        "headlines": numbers.headlines(evaluation),
        "titles": numbers.titles(),
        "rows": numbers.rows(evaluation),
        "accuracy": numbers.number(evaluation.estimate("accuracy", "all")),
        "balanced": numbers.number(evaluation.estimate("balanced_accuracy", "all")),
        "notes": [spoken(note, run) for note in (*evaluation.notes, *gathered_notes(evaluation))],
        "figures": figures,
    }


def _gallery(run: Run) -> dict[str, Any]:
    """Show cases of the reported part."""
    part = run.part or next(iter(run.predictions), None)
    predictions = run.predictions.get(part) if part else None
    if predictions is None:
        return {"part": part, "groups": [], "why": "There are no predictions yet."}
    cases = shown(choose(predictions), run.path / "maps", predictions)
    groups = [(name, [each for each in cases if each.case.label == name]) for name in predictions.classes]
    why = (
        "" if cases else "The predicted images have no labels, so none of them is known to be right or wrong."
    )
    return {"part": part, "groups": [(name, found) for name, found in groups if found], "why": why}
