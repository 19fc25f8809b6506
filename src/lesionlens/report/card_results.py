"""Results in a model card: every estimate of the evaluations, calibration, subgroups and map quality."""

from collections.abc import Iterable, Iterator, Sequence

from lesionlens.evaluation.caveats import grouped_caveats
from lesionlens.evaluation.formatting import (
    decision_label,
    display_name,
    format_difference,
    format_interval,
    format_metric,
    format_p_value,
    format_scope,
    format_value,
    format_with_interval,
)
from lesionlens.evaluation.metric import Scope
from lesionlens.evaluation.registry import metric_title
from lesionlens.evaluation.result import EvaluationResult
from lesionlens.evaluation.subgroups.result import Subgroup, SubgroupMetric, SubgroupReport
from lesionlens.report.card_inputs import CardInputs
from lesionlens.report.content import headline_metrics
from lesionlens.report.markdown import bullets, escape_markdown, markdown_table
from lesionlens.report.record_tables import record_tables

METRICS_PER_TABLE = 4
NOT_SHOWN = {"format", "lesionlens", "intended_use", "notice", "curves", "images"}
"""Keys of JSON files that the card omits: versions and notices that it has once, curves and values of single images."""


def summary_table(evaluation: EvaluationResult) -> str:
    """Return the headline metrics of an evaluation."""
    rows = [
        (escape_markdown(item.title), item.cell.value, item.cell.interval or item.interval_label)
        for item in headline_metrics(evaluation)
    ]
    return markdown_table(["Metric", "Value", _interval_title(evaluation)], rows) if rows else ""


def results_body(inputs: CardInputs) -> str:
    """Return every estimate of the evaluated splits; a sentence if there is none."""
    evaluations = inputs.run.evaluations
    if not evaluations:
        return "Not evaluated."
    missing = "" if "test" in evaluations else "There is no evaluated test split.\n\n"
    return missing + "\n\n".join(
        _evaluation_text(name, result, inputs) for name, result in evaluations.items()
    )


def _evaluation_text(split: str, evaluation: EvaluationResult, inputs: CardInputs) -> str:
    selected = split == "validation" and inputs.run.metadata.get("checkpoint") != "last"
    caveats = [*evaluation.caveats, *grouped_caveats(evaluation)]
    parts = [
        f"### {split.capitalize()} split",
        f"{evaluation.n_images:,} images of {evaluation.n_lesions:,} lesions. Decision: "
        f"{escape_markdown(decision_label(evaluation))}. {_interval_text(evaluation)}"
        + (" These images selected the epoch, so the results are optimistically biased." if selected else ""),
        *metric_tables(evaluation),
        f"Number of images by true class (row) and predicted class (column):\n\n{_confusion_table(evaluation)}",
    ]
    if caveats:
        parts.append(f"Notes:\n\n{bullets(map(escape_markdown, caveats))}")
    return "\n\n".join(parts)


def metric_tables(evaluation: EvaluationResult) -> Iterator[str]:
    """Yield tables of all estimates, with the metrics in columns and classes and averages in rows."""
    cells = {(item.metric, item.scope): format_with_interval(item) for item in evaluation.estimates}
    names = list(dict.fromkeys(item.metric for item in evaluation.estimates))
    scopes = sorted(
        dict.fromkeys(item.scope for item in evaluation.estimates), key=lambda s: isinstance(s, str)
    )
    for start in range(0, len(names), METRICS_PER_TABLE):
        metrics = names[start : start + METRICS_PER_TABLE]
        rows = [
            (escape_markdown(format_scope(scope)), *(cells.get((name, scope), "") for name in metrics))
            for scope in scopes
            if any((name, scope) in cells for name in metrics)
        ]
        yield markdown_table(["Class", *(escape_markdown(metric_title(name)) for name in metrics)], rows)


def _confusion_table(evaluation: EvaluationResult) -> str:
    names = [escape_markdown(display_name(name)) for name in evaluation.classes]
    rows = [
        (name, *map(str, counts), str(lesions))
        for name, counts, lesions in zip(
            names, evaluation.confusion_matrix, evaluation.lesion_support, strict=True
        )
    ]
    return markdown_table(["True class", *names, "Lesions"], rows)


def _interval_title(evaluation: EvaluationResult) -> str:
    return f"{100 * evaluation.confidence:g} % interval"


def _interval_text(evaluation: EvaluationResult) -> str:
    if not evaluation.n_resamples:
        return "No intervals were computed."
    return (
        f"Intervals in parentheses: {100 * evaluation.confidence:g} %, from {evaluation.n_resamples:,} bootstrap "
        f"resamples of lesions (seed {evaluation.seed}). A dash marks an undefined value."
    )


def calibration_body(inputs: CardInputs) -> str:
    """Return the numbers of ``calibration.json``; a sentence if there is none."""
    if not inputs.calibration:
        reasons = (inputs.run.metadata.get("calibration") or {}).get("caveats", ())
        notes = (
            [f"Notes:\n\n{bullets(escape_markdown(str(reason)) for reason in reasons)}"] if reasons else []
        )
        return "\n\n".join(["Not calibrated: a score is not a probability of disease.", *notes])
    text = (
        "Measured on images of the split below. A prediction set contains the class of a new image with the stated "
        "coverage only if the image is like these."
    )
    return f"{text}\n\n{record_tables(inputs.calibration, omitted=NOT_SHOWN)}"


def subgroups_body(inputs: CardInputs) -> str:
    """Return the results by subgroup; a sentence if there are none."""
    if not inputs.subgroups:
        return "Not evaluated: these results may not hold for every group of patients."
    return "\n\n".join(_subgroup_text(path, report) for path, report in inputs.subgroups.items())


def _subgroup_text(path: str, report: SubgroupReport) -> str:
    tables = [
        f"By {escape_markdown(display_name(column))}:\n\n{_subgroup_table(groups)}"
        for column, groups in report.by_column().items()
    ]
    head = (
        f"`{path}`: {report.n_images:,} images of {report.n_lesions:,} lesions. Each group is compared with all "
        f"other images; p-values are corrected for {report.n_tests:,} tests (Holm)."
    )
    notes = [bullets(map(escape_markdown, report.caveats))] if report.caveats else []
    return "\n\n".join([head, *tables, *notes])


def _subgroup_table(groups: Sequence[Subgroup]) -> str:
    rows = [
        (
            escape_markdown(group.name),
            f"{group.n_images:,} ({group.n_lesions:,})",
            _subgroup_metric_title(metric),
            *_subgroup_cells(metric),
        )
        for group in groups
        for metric in group.metrics
    ]
    return markdown_table(
        ["Group", "Images (lesions)", "Metric", "Value", "Others", "Difference", "p (Holm)"], rows
    )


def _subgroup_metric_title(metric: SubgroupMetric) -> str:
    """Return the title of a metric, with the classes that its average lacks in this group."""
    missing = ", ".join(map(display_name, metric.excluded_classes))
    return escape_markdown(format_metric(*metric.key) + (f", without {missing}" if missing else ""))


def _subgroup_cells(metric: SubgroupMetric) -> tuple[str, ...]:
    interval = format_interval(metric.low, metric.high)
    difference = (metric.difference, metric.difference_low, metric.difference_high)
    return (
        format_value(metric.value) + (f" ({interval})" if interval else ""),
        format_value(metric.rest),
        format_difference(*difference),
        format_p_value(metric.p_holm),
    )


def maps_body(inputs: CardInputs) -> str:
    """Return measures of the attention maps; a sentence if there are none."""
    if not inputs.map_quality:
        return "Not measured: a map shows where the network responds, not why, and it may be unrelated to the score."
    return "\n\n".join(
        f"`{path}`:\n\n{record_tables(record, omitted=NOT_SHOWN)}"
        for path, record in inputs.map_quality.items()
    )


def reported_scopes(evaluation: EvaluationResult) -> Iterable[tuple[str, Scope]]:
    """Return the first scope of each metric that summarizes classes: that of all images, or the mean of classes."""
    first: dict[str, Scope] = {}
    for item in evaluation.estimates:
        if not isinstance(item.scope, str):
            first.setdefault(item.metric, item.scope)
    return first.items()
