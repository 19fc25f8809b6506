"""From a run's folder to one page that needs nothing else."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lesionlens import __version__
from lesionlens.core.fileio import write_text
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.case_selection import select_cases
from lesionlens.evaluation.caveats import grouped_caveats
from lesionlens.evaluation.formatting import decision_label, display_name
from lesionlens.evaluation.plots import FIGURES
from lesionlens.evaluation.result import EvaluationResult
from lesionlens.report import content
from lesionlens.report.caveats import display_class_names, run_caveats
from lesionlens.report.gallery import gallery_cases
from lesionlens.report.load import REPORTED_SPLITS, RunData, load_run
from lesionlens.report.plots import attention_scale_plot, class_balance_plot, inline_svg, learning_curve_plot


def build_report(run_dir: Path) -> Path:
    """Write ``report.html`` into a run's folder from what lies there, with the images of its ``attention_maps``.

    The page loads nothing, from the network or the disk, and is the same for the same folder. What a run does
    not have (yet) is said on the page.

    Parameters
    ----------
    run_dir
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
    path = Path(run_dir) / "report.html"
    write_text(path, render_report(load_run(Path(run_dir))))
    return path


def render_report(run: RunData) -> str:
    """Write the page of a run as HTML."""
    environment = Environment(
        loader=PackageLoader("lesionlens.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["display_name"] = display_name
    return environment.get_template("page.html").render(
        run=run,
        notice=RESEARCH_USE_NOTICE,
        version=__version__,
        caveats=run_caveats(run),
        setup=content.setup_summary(run),
        data=_data_section(run),
        learning=_training_section(run),
        splits=[
            _evaluation_section(split, run.evaluations[split], run)
            for split in REPORTED_SPLITS
            if split in run.evaluations
        ],
        gallery=_gallery_section(run),
    )


def _data_section(run: RunData) -> dict[str, Any]:
    metadata = run.metadata.get("data", {})
    recorded = metadata.get("splits", {})
    splits = {name: recorded[name] for name in ("train", "validation", "test") if recorded.get(name)}
    counts = {name: split.get("classes", {}) for name, split in splits.items()}
    classes = list(
        dict.fromkeys([*metadata.get("classes", []), *(name for each in counts.values() for name in each)])
    )
    chart = inline_svg(class_balance_plot(counts), name="balance") if any(counts.values()) else None
    warnings = [display_class_names(str(each), run) for each in metadata.get("warnings", ())]
    return {"metadata": metadata, "splits": splits, "classes": classes, "chart": chart, "warnings": warnings}


def _training_section(run: RunData) -> dict[str, Any]:
    if run.metrics is None:
        return {"curves": None, "gates": None}
    gates = attention_scale_plot(run.metrics)
    return {
        "curves": inline_svg(
            learning_curve_plot(run.metrics, selected_epoch=run.selected_epoch), name="learning"
        ),
        "gates": None if gates is None else inline_svg(gates, name="gates"),
    }


def _evaluation_section(split_name: str, evaluation: EvaluationResult, run: RunData) -> dict[str, Any]:
    figures: dict[str, Markup] = {
        name: inline_svg(make(evaluation), name=f"{split_name}-{name}") for name, make in FIGURES.items()
    }
    return {
        "name": split_name,
        "evaluation": evaluation,
        "decision_label": decision_label(evaluation),
        "headlines": content.headline_metrics(evaluation),
        "titles": content.column_titles(),
        "rows": content.class_rows(evaluation),
        "accuracy": content.format_estimate(evaluation.estimate("accuracy", "all")),
        "balanced": content.format_estimate(evaluation.estimate("balanced_accuracy", "all")),
        "notes": [
            display_class_names(note, run) for note in (*evaluation.caveats, *grouped_caveats(evaluation))
        ],
        "figures": figures,
    }


def _gallery_section(run: RunData) -> dict[str, Any]:
    """Show cases of the reported split."""
    split = run.split or next(iter(run.predictions), None)
    predictions = run.predictions.get(split) if split else None
    if predictions is None:
        return {"split": split, "groups": [], "why": "There are no predictions yet."}
    cases = gallery_cases(select_cases(predictions), run.path / "attention_maps", predictions)
    groups = [(name, [each for each in cases if each.case.label == name]) for name in predictions.classes]
    why = (
        "" if cases else "The predicted images have no labels, so none of them is known to be right or wrong."
    )
    return {"split": split, "groups": [(name, found) for name, found in groups if found], "why": why}
