"""Build the report of a run: one HTML page that needs no other file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lesionlens import __version__
from lesionlens.core.fileio import write_text
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.datasets.table import SPLITS
from lesionlens.evaluation.case_selection import select_cases
from lesionlens.evaluation.caveats import grouped_caveats
from lesionlens.evaluation.formatting import decision_label, display_name
from lesionlens.evaluation.metric import OVERALL
from lesionlens.evaluation.plots import FIGURES
from lesionlens.evaluation.registry import METRICS, TABULATED_METRICS
from lesionlens.evaluation.result import EvaluationResult
from lesionlens.report import content
from lesionlens.report.caveats import display_class_names, run_caveats
from lesionlens.report.gallery import gallery_cases
from lesionlens.report.load import REPORTED_SPLITS, RunData, load_run
from lesionlens.report.plots import attention_scale_plot, class_balance_plot, inline_svg, learning_curve_plot
from lesionlens.report.setup import setup_summary
from lesionlens.report.trust import format_operating_point, trust_section


def build_report(run_dir: Path) -> Path:
    """Write ``report.html`` to the directory of a run, with the images in its ``attention_maps``.

    The page loads nothing from the network or the disk, and is identical for identical contents of the directory. It
    states what the run does not have (yet).

    Parameters
    ----------
    run_dir
        Directory that training wrote; the run may be unfinished.

    Returns
    -------
    Path
        Path of the page.

    Raises
    ------
    RunError
        The directory is not that of a run, or the page cannot be written.
    """
    path = Path(run_dir) / "report.html"
    write_text(path, render_report(load_run(Path(run_dir))))
    return path


def render_report(run: RunData) -> str:
    """Return the HTML page of a run."""
    sections = [
        evaluation_section(
            f"{split} split",
            run.evaluations[split],
            run.class_names,
            prefix=split,
            remark=_split_remark(split, run),
        )
        for split in REPORTED_SPLITS
        if split in run.evaluations
    ]
    return render_page(
        "page.html",
        run=run,
        name=run.name,
        caveats=run_caveats(run),
        headlines=sections[0]["headlines"] if sections else (),
        setup=setup_summary(run),
        command=run.metadata.get("command"),
        recipe_text=run.recipe_text,
        data=_data_section(run),
        learning=_training_section(run),
        splits=sections,
        trust=trust_section(run),
        gallery=_gallery_section(run),
    )


def render_page(template: str, **content: object) -> str:
    """Return an HTML page from a template and its content."""
    environment = Environment(
        loader=PackageLoader("lesionlens.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["display_name"] = display_name
    environment.filters["operating_point"] = format_operating_point
    decision_metrics = [METRICS[name].title for name in TABULATED_METRICS if METRICS[name].kind == "decision"]
    return environment.get_template(template).render(
        notice=RESEARCH_USE_NOTICE, version=__version__, decision_metrics=decision_metrics, **content
    )


def _split_remark(split: str, run: RunData) -> str:
    selected = split == "validation" and run.metadata.get("checkpoint") != "last"
    return ", which selected the epoch" if selected else ""


def _data_section(run: RunData) -> dict[str, Any]:
    metadata = run.metadata.get("data", {})
    recorded = metadata.get("splits", {})
    splits = {name: recorded[name] for name in SPLITS if recorded.get(name)}
    counts = {name: split.get("classes", {}) for name, split in splits.items()}
    counted_classes = [name for class_counts in counts.values() for name in class_counts]
    classes = list(dict.fromkeys([*metadata.get("classes", []), *counted_classes]))
    chart = inline_svg(class_balance_plot(counts), name="balance") if any(counts.values()) else None
    warnings = [
        display_class_names(str(warning), run.class_names) for warning in metadata.get("warnings", ())
    ]
    return {"metadata": metadata, "splits": splits, "classes": classes, "chart": chart, "warnings": warnings}


def _training_section(run: RunData) -> dict[str, Any]:
    if run.metrics is None:
        return {"curves": None, "gates": None}
    curves = learning_curve_plot(run.metrics, selected_epoch=run.selected_epoch)
    gates = attention_scale_plot(run.metrics)
    return {
        "curves": inline_svg(curves, name="learning"),
        "gates": None if gates is None else inline_svg(gates, name="gates"),
    }


def evaluation_section(
    title: str, evaluation: EvaluationResult, class_names: Iterable[str], *, prefix: str, remark: str = ""
) -> dict[str, Any]:
    """Return the content of a section with all metrics and figures of an evaluation.

    Parameters
    ----------
    title
        What was evaluated, such as ``test split``.
    evaluation
        The evaluation.
    class_names
        Names of classes in recorded texts, whose underscores are replaced.
    prefix
        Prefix of the ids in its figures, unique on the page.
    remark
        Words after the title.
    """
    notes = (*evaluation.caveats, *grouped_caveats(evaluation))
    return {
        "title": title,
        "remark": remark,
        "evaluation": evaluation,
        "decision_label": decision_label(evaluation),
        "headlines": content.headline_metrics(evaluation),
        "titles": content.column_titles(),
        "rows": content.class_rows(evaluation),
        "accuracy": content.format_estimate(evaluation.estimate("accuracy", OVERALL)),
        "balanced": content.format_estimate(evaluation.estimate("balanced_accuracy", OVERALL)),
        "notes": [display_class_names(caveat, class_names) for caveat in notes],
        "figures": {
            name: inline_svg(make_figure(evaluation), name=f"{prefix}-{name}")
            for name, make_figure in FIGURES.items()
        },
    }


def _gallery_section(run: RunData) -> dict[str, Any]:
    """Return the example cases of the reported split by class, or the reason why there are none."""
    split = run.split or next(iter(run.predictions), None)
    predictions = run.predictions.get(split) if split else None
    if predictions is None:
        return {"split": split, "groups": [], "why": "There are no predictions yet.", "has_drops": False}
    cases = gallery_cases(select_cases(predictions), run.path / "attention_maps", predictions)
    by_class = {name: [case for case in cases if case.case.label == name] for name in predictions.classes}
    reason = "" if cases else "The predicted images have no labels, so no prediction is known to be correct."
    groups = [(name, class_cases) for name, class_cases in by_class.items() if class_cases]
    has_drops = any(case.center_drop for case in cases)
    return {"split": split, "groups": groups, "why": reason, "has_drops": has_drops}
