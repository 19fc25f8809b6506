"""Table of classification metrics: one record per metric, read by all code that computes, shows or documents them.

To add a metric, write its function in `lesionlens.evaluation.metrics` and append one `Metric` here.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from lesionlens.core.errors import ComparisonError, unknown_name_message
from lesionlens.core.task_names import CLASS_PREFIX
from lesionlens.core.taxonomy import match_class
from lesionlens.evaluation import metrics, score_quality
from lesionlens.evaluation.calibrated_columns import CALIBRATED_PREFIX
from lesionlens.evaluation.metric import (
    MACRO,
    WEIGHTED,
    Aggregate,
    Average,
    Metric,
    MetricKey,
    Scope,
)

_USUAL_AVERAGES = (Average(MACRO), Average(WEIGHTED, "support"))

_SCORE_METRICS = (
    Metric(
        name="ece",
        title="Calibration error",
        kind="probability",
        definition="mean distance of fraction correct and largest score in 15 bins of equal size, debiased (ECE)",
        probability_function=score_quality.expected_calibration_error,
        is_biased_in_resamples=True,
    ),
    Metric(
        name="classwise_ece",
        title="Class-wise calibration error",
        kind="probability",
        definition="debiased calibration error of the score of a class; over all images, its mean over classes",
        class_function=score_quality.class_calibration_errors,
        probability_function=score_quality.classwise_calibration_error,
        is_biased_in_resamples=True,
    ),
    Metric(
        name="brier",
        title="Brier score",
        kind="probability",
        definition="mean of Σ (score − outcome)² over the classes",
        highest=math.inf,  # 2 if the scores of an image sum to one
        probability_function=score_quality.brier_score,
    ),
    Metric(
        name="log_loss",
        title="Log loss",
        kind="probability",
        definition="mean of −log(score of the true class); a score of 0 counts as 1e-12",
        highest=math.inf,
        probability_function=score_quality.log_loss,
    ),
    Metric(
        name="aurc",
        title="Risk–coverage area",
        kind="probability",
        definition="mean error rate of the most confident images over all coverages (AURC)",
        probability_function=score_quality.area_under_risk_coverage,
    ),
)
"""Quality of the scores as probabilities; the last one depends only on their order."""


def _of_calibrated_scores(metric: Metric) -> Metric:
    """Return the same metric of the calibrated scores."""
    return replace(
        metric,
        name=CALIBRATED_PREFIX + metric.name,
        title=f"{metric.title}, calibrated",
        definition=f"`{metric.name}` of the calibrated scores",
        field="calibrated_scores",
    )


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="auc",
            title="AUC",
            kind="ranking",
            definition="area under the ROC curve; ties count half",
            class_function=metrics.auc,
            averages=_USUAL_AVERAGES,
            requires=("positives", "negatives"),
            paper_names="AUC (all four)",
            is_tabulated=True,
            is_compared_over_classes=True,
        ),
        Metric(
            name="average_precision",
            title="Average precision",
            kind="ranking",
            definition="Σ (Rᵢ − Rᵢ₋₁) Pᵢ over the descending threshold, no interpolation",
            class_function=metrics.average_precision,
            averages=_USUAL_AVERAGES,
            requires=("positives",),
            abbreviation="AP",
            paper_names="AP (AttnMel)",
            is_tabulated=True,
            is_compared_over_classes=True,
        ),
        Metric(  # its macro average is the balanced accuracy, which comparisons include
            name="sensitivity",
            title="Sensitivity",
            kind="decision",
            definition="TP / (TP + FN)",
            class_function=metrics.sensitivity,
            averages=_USUAL_AVERAGES,
            requires=("positives",),
            paper_names="SEN, recall",
            is_tabulated=True,
        ),
        Metric(
            name="specificity",
            title="Specificity",
            kind="decision",
            definition="TN / (TN + FP)",
            class_function=metrics.specificity,
            averages=_USUAL_AVERAGES,
            requires=("negatives",),
            paper_names="SPE",
            is_tabulated=True,
            is_compared_over_classes=True,
        ),
        Metric(
            name="precision",
            title="Precision",
            kind="decision",
            definition="TP / (TP + FP)",
            class_function=metrics.precision,
            averages=_USUAL_AVERAGES,
            requires=("predictions",),
            paper_names="precision (Datta et al.)",
            is_tabulated=True,
        ),
        Metric(
            name="npv",
            title="NPV",
            kind="decision",
            definition="TN / (TN + FN), the negative predictive value at the prevalence of the images",
            class_function=metrics.negative_predictive_value,
            averages=_USUAL_AVERAGES,
            requires=("negative_predictions",),
        ),
        Metric(
            name="f1",
            title="F1",
            kind="decision",
            definition="2 TP / (2 TP + FP + FN)",
            class_function=metrics.f1,
            averages=_USUAL_AVERAGES,
            requires=("positives",),
            paper_names="F1; “dice” of the ISIC scorer",
            is_tabulated=True,
            is_compared_over_classes=True,
        ),
        Metric(
            name="accuracy",
            title="Accuracy",
            kind="decision",
            definition="(TP + TN) / all",
            class_function=metrics.accuracy,
            overall_function=metrics.overall_accuracy,
            averages=_USUAL_AVERAGES,
            paper_names="ACC of ARL-CNN's sub-tasks",
        ),
        Metric(
            name="f1_weighted_by_predictions",
            title="F1, weighted by predictions",
            kind="decision",
            definition="F1 of the classes, weighted by the number of images predicted to be of each",
            averages=(Average(WEIGHTED, "predicted_positive"),),
            averaged_metric="f1",
            paper_names="F1-score as computed by the code of Gessert et al. 2019",
        ),
        Metric(
            name="balanced_accuracy",
            title="Balanced accuracy",
            kind="overall",
            definition="mean of the sensitivities of the classes that have images",
            overall_function=metrics.balanced_accuracy,
            averaged_metric="sensitivity",
            paper_names="balanced accuracy (ISIC 2018)",
        ),
        *_SCORE_METRICS,
        *map(_of_calibrated_scores, _SCORE_METRICS[:-1]),
        Metric(
            name="set_coverage",
            title="Coverage of the prediction sets",
            kind="probability",
            definition="fraction of images whose prediction set contains their class",
            class_function=score_quality.class_set_coverages,
            requires=("positives",),
            probability_function=score_quality.set_coverage,
            field="prediction_sets",
        ),
        Metric(
            name="set_size",
            title="Size of the prediction sets",
            kind="probability",
            definition="mean number of classes in a prediction set",
            highest=math.inf,
            class_function=score_quality.class_set_sizes,
            requires=("positives",),
            probability_function=score_quality.set_size,
            field="prediction_sets",
        ),
    )
}
"""Every metric by its name, in the order of evaluation files."""

TABULATED_METRICS = tuple(name for name, metric in METRICS.items() if metric.is_tabulated)


def get_metric(name: str) -> Metric:
    """Return a metric by its name.

    Raises
    ------
    ComparisonError
        The metric does not exist.
    """
    if name not in METRICS:
        raise ComparisonError(unknown_name_message("metric", name, METRICS))
    return METRICS[name]


def check_metric_keys(keys: Sequence[MetricKey], classes: Sequence[str]) -> None:
    """Raise a ComparisonError if a metric does not exist or is not reported for a scope."""
    for name, scope in keys:
        allowed = get_metric(name).scopes(classes)
        if scope not in allowed:
            raise ComparisonError(unknown_name_message(f"{name} of", str(scope), map(str, allowed)))


def parse_metric_key(text: str, classes: Sequence[str]) -> MetricKey:
    """Parse ``METRIC``, ``METRIC:SCOPE`` or ``METRIC:class:CLASS``.

    Parameters
    ----------
    text
        Metric and scope: ``macro``, ``weighted``, ``all``, or a class in any spelling. After ``class:`` every name is a
        class, also ``macro``.
    classes
        Names of the classes.

    Raises
    ------
    ComparisonError
        The metric does not exist, or is not reported for the scope.

    Examples
    --------
    >>> parse_metric_key("auc:MEL", ["melanoma", "macro"]), parse_metric_key("auc:class:macro", ["melanoma", "macro"])
    (('auc', 'melanoma'), ('auc', 'macro'))
    >>> parse_metric_key("auc", ["a", "b"]), parse_metric_key("accuracy", ["a", "b"])
    (('auc', <Aggregate.MACRO: 'macro'>), ('accuracy', <Aggregate.OVERALL: 'all'>))
    """
    name, _, scope_text = text.partition(":")
    scope = parse_scope(scope_text, classes) if scope_text else get_metric(name).default_scope
    if scope_text in classes and scope not in get_metric(name).scopes(classes):
        raise ComparisonError(
            f"{text} is not the class {scope_text}: {scope_text} is an aggregate, which {name} does not have. For the "
            f"class use {name}:{CLASS_PREFIX}{scope_text}"
        )
    check_metric_keys([(name, scope)], classes)
    return name, scope


def parse_scope(text: str, classes: Sequence[str]) -> Scope:
    """Parse an aggregate or a class (see `parse_metric_key`); a text that is neither is returned unchanged."""
    if text in {str(aggregate) for aggregate in Aggregate}:
        return Aggregate(text)
    name = text.removeprefix(CLASS_PREFIX)
    return text if text in classes else match_class(name, classes) or name


def metric_title(name: str) -> str:
    """Return the title of a metric, or the name itself if it is not in the table."""
    return METRICS[name].title if name in METRICS else name
