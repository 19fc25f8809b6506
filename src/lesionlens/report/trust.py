"""How far to believe a score: what a report says about calibration, prediction sets, abstention and subgroups."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from lesionlens.core.bootstrap import cluster_bootstrap_weights, percentile_interval
from lesionlens.core.types import BoolArray
from lesionlens.evaluation.formatting import display_name
from lesionlens.evaluation.metric import MACRO, OVERALL
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.result import EvaluationResult
from lesionlens.evaluation.score_plots import SCORE_FIGURES
from lesionlens.evaluation.subgroups.plots import draw_subgroup_forest
from lesionlens.evaluation.subgroups.result import SubgroupReport
from lesionlens.evaluation.subgroups.tables import describe_subgroups
from lesionlens.evaluation.tables import class_quality_rows, probability_rows
from lesionlens.report.load import RunData
from lesionlens.report.plots import inline_svg
from lesionlens.uncertainty.apply import DEFAULT_COVERAGE
from lesionlens.uncertainty.calibration import Calibration, OperatingPoint

N_RESAMPLES = 1000
_CLEARLY_CONFIDENT = 1.0  # a temperature of 1 changes nothing
_MAX_PANELS = 4  # metrics of subgroups in the report; all are in subgroups.csv


@dataclass(frozen=True)
class TrustStatement:
    """One finding: a title, its value with interval, and what it means for a reader without statistics."""

    title: str
    value: str
    meaning: str


@dataclass(frozen=True)
class TrustSection:
    """Content of the section.

    Attributes
    ----------
    calibration
        Calibration of the model; None without one.
    split
        Split on which the statements were measured.
    statements
        Findings on images that calibrated nothing; empty without predictions of a calibrated model.
    operating_points
        Thresholds of each class.
    score_quality
        Title, value and calibrated value of each metric of the scores as probabilities, on the split.
    class_quality
        Class, coverage and size of its sets, and calibration error; empty without prediction sets.
    score_figures
        Figures of `SCORE_FIGURES` by name; empty without an evaluation that has the curves.
    subgroup_figure, subgroup_lines
        Forest plot and sentences; None and empty without subgroups.
    """

    calibration: Calibration | None
    split: str
    statements: tuple[TrustStatement, ...]
    operating_points: tuple[OperatingPoint, ...]
    score_quality: tuple[tuple[str, str, str], ...]
    class_quality: tuple[tuple[str, ...], ...]
    score_figures: Mapping[str, Markup]
    subgroup_figure: Markup | None
    subgroup_lines: tuple[str, ...]


def trust_section(run: RunData) -> TrustSection:
    """Return the content of the section, from the files of a run."""
    split = run.split or ""
    predictions = run.predictions.get(split)
    calibration, evaluation = run.calibration, run.evaluations.get(split)
    statements: list[TrustStatement] = []
    if calibration is not None:
        statements.append(_temperature_statement(calibration))
        if predictions is not None and predictions.calibrated_scores is not None:
            statements += _measured_statements(predictions.select(predictions.label != ""), calibration)
    return TrustSection(
        calibration=calibration,
        split=split,
        statements=tuple(statements),
        operating_points=() if calibration is None else calibration.operating_points,
        score_quality=() if evaluation is None else probability_rows(evaluation),
        class_quality=() if evaluation is None else class_quality_rows(evaluation),
        score_figures={} if evaluation is None else _score_figures(evaluation),
        subgroup_figure=None if run.subgroups is None else _subgroup_figure(run.subgroups),
        subgroup_lines=() if run.subgroups is None else tuple(describe_subgroups(run.subgroups)),
    )


def _temperature_statement(calibration: Calibration) -> TrustStatement:
    estimate = calibration.temperature
    if estimate.low > _CLEARLY_CONFIDENT:
        meaning = "The network is too sure of itself: calibration makes its scores less extreme."
    elif estimate.high < _CLEARLY_CONFIDENT:
        meaning = "The network is too cautious: calibration makes its scores more extreme."
    else:
        meaning = "The scores of the network are about as extreme as they should be."
    return TrustStatement("Temperature", estimate.to_text(), meaning)


def _measured_statements(predictions: Predictions, calibration: Calibration) -> list[TrustStatement]:
    """Return findings on images that calibrated nothing."""
    statements: list[TrustStatement] = []
    sets, abstain, percentile = predictions.prediction_sets, predictions.abstain, predictions.ood_percentile
    if sets is not None:
        covered = sets[np.arange(len(predictions)), predictions.targets()]
        statements += [
            TrustStatement(
                "Coverage of the sets",
                _fraction(covered, predictions),
                "A prediction set names the classes that remain possible. So many images have their true class in the "
                f"set; {100 * DEFAULT_COVERAGE:g} % are promised.",
            ),
            TrustStatement(
                "Sets with one class",
                _fraction(sets.sum(axis=1) == 1, predictions),
                f"Clear cases. A set has {sets.sum(axis=1).mean():.1f} of {len(predictions.classes)} classes on "
                "average; the more classes, the less the score says.",
            ),
        ]
    if abstain is not None and sets is not None:
        correct = predictions.scores.argmax(axis=1) == predictions.targets()
        statements.append(
            TrustStatement(
                "Abstention",
                _fraction(abstain, predictions),
                "The model abstains if the set does not have exactly one class, or if the image is unlike the "
                f"calibration images. {_answered(correct, ~abstain, predictions)}",
            )
        )
    if percentile is not None and calibration.ood is not None:
        flagged = percentile > 100 * (1 - calibration.ood.false_alarm_rate)
        statements.append(
            TrustStatement(
                "Unlike the calibration images",
                _fraction(flagged, predictions),
                f"Of images like those of the calibration, about {100 * calibration.ood.false_alarm_rate:g} % are. Far "
                "more mean that the images come from another source.",
            )
        )
    return statements


def _answered(correct: BoolArray, answered: BoolArray, predictions: Predictions) -> str:
    if not answered.any():
        return "It answers for no image."
    return (
        f"Of the images that it answers, {_fraction(correct[answered], predictions.select(answered))} are correct; of "
        f"all images, {_fraction(correct, predictions)}."
    )


def _fraction(values: BoolArray, predictions: Predictions) -> str:
    """Return a fraction of images in percent with its interval over lesions."""
    weights = cluster_bootstrap_weights(predictions.lesion_id, n_resamples=N_RESAMPLES, seed=0)
    resampled = np.concatenate([chunk @ values / chunk.sum(axis=1) for chunk in weights])
    interval = percentile_interval(resampled)
    text = f"{100 * values.mean():.0f} %"
    return text if np.isnan(interval.low) else f"{text} ({100 * interval.low:.0f}–{100 * interval.high:.0f})"


def _score_figures(evaluation: EvaluationResult) -> dict[str, Markup]:
    """Return the figures of the scores as probabilities; none for an evaluation of an earlier version."""
    if evaluation.score_curves is None:
        return {}
    return {name: inline_svg(draw(evaluation), name=name) for name, draw in SCORE_FIGURES.items()}


def _subgroup_figure(report: SubgroupReport) -> Markup:
    keys = [key for key in report.keys if key[1] in (MACRO, OVERALL)] or list(report.keys)
    return inline_svg(draw_subgroup_forest(report, keys[:_MAX_PANELS]), name="subgroups")


def format_operating_point(point: OperatingPoint) -> tuple[str, ...]:
    """Return class, rule, threshold and the achieved values of an operating point for a table."""
    rule = point.rule.replace("sensitivity:", "sensitivity ").replace("youden", "Youden")
    values = (point.sensitivity, point.specificity, point.ppv, point.npv)
    return (
        display_name(point.class_name),
        rule,
        f"{point.threshold:.3f}",
        *(value.to_text() for value in values),
    )
