"""Evaluation results and their JSON file."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from lesionlens.core.errors import PredictionsError, unknown_name_message
from lesionlens.core.fileio import write_text
from lesionlens.core.json_file import to_json_text
from lesionlens.evaluation.metric import MACRO, Aggregate, Scope
from lesionlens.evaluation.metrics import ClassCurves
from lesionlens.evaluation.score_curves import ScoreCurves

EVALUATION_FORMAT = "lesionlens-evaluation/4"
CAVEAT_SEPARATOR = "; "  # between the caveats of one estimate, where they are shown in one line


class EstimateCaveat(NamedTuple):
    """Reason for an undefined value or interval, or a limit of it.

    Attributes
    ----------
    text
        The caveat, with `NUMBER_PLACEHOLDER` in place of ``number``.
    number
        Number in which caveats of the same text may differ; None if there is none.
    """

    text: str
    number: int | None = None

    def __str__(self) -> str:
        return self.text if self.number is None else self.text.replace(NUMBER_PLACEHOLDER, str(self.number))


NUMBER_PLACEHOLDER = "{number}"


@dataclass(frozen=True)
class Estimate:
    """Value of one metric with its confidence interval.

    Attributes
    ----------
    metric
        Name of the metric (see `lesionlens.evaluation.registry.METRICS`).
    scope
        Name of a class, or an `Aggregate`: mean over classes, mean weighted by images, or all images.
    value, low, high
        Value and bounds of its interval; NaN where undefined.
    caveats
        Reasons for an undefined value or interval, and limits of the interval.
    """

    metric: str
    scope: Scope
    value: float
    low: float
    high: float
    caveats: tuple[EstimateCaveat, ...] = ()

    @property
    def caveat(self) -> str:
        """All caveats in one line; "" if there are none."""
        return CAVEAT_SEPARATOR.join(map(str, self.caveats))

    def to_record(self) -> dict[str, Any]:
        """Return the fields for JSON, with the class and the aggregate apart: one of them is null."""
        is_class = isinstance(self.scope, str)
        return {
            "metric": self.metric,
            "class": self.scope if is_class else None,
            "aggregate": None if is_class else str(self.scope),
            **{name: getattr(self, name) for name in ("value", "low", "high")},
            "caveats": [caveat._asdict() for caveat in self.caveats],
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Estimate":
        """Return the estimate of a record that `to_record` returned."""
        fields = _none_to_nan(record)
        class_name, aggregate = record["class"], record["aggregate"]
        return cls(
            metric=fields["metric"],
            scope=Aggregate(aggregate) if class_name is None else class_name,
            **{name: fields[name] for name in ("value", "low", "high")},
            caveats=tuple(EstimateCaveat(**caveat) for caveat in record["caveats"]),
        )


@dataclass(frozen=True)
class EvaluationResult:
    """Metrics, curves and caveats of one set of predictions.

    Attributes
    ----------
    classes
        Names of the k classes.
    estimates
        Every metric with its interval.
    confusion_matrix
        Number of images by true class (row) and predicted class (column), (k, k). The predicted class is that of the
        largest score, or, with two classes and one threshold, the one that the threshold gives.
    support, lesion_support
        Number of images and of lesions of each class, (k,).
    n_images, n_lesions
        Number of evaluated images and lesions.
    curves
        ROC and precision-recall curves by class; a class without images, or without images of other classes, has none.
    caveats
        Limits of the evaluation, one sentence each.
    confidence, n_resamples, seed
        Confidence level of the intervals, number of bootstrap resamples (0: no intervals) and their random seed.
    decision
        Decision rule: "argmax", "isic" or "thresholds".
    task
        Classes of the binary task that the predictions were reduced to: the class against the rest, or two classes, the
        positive one first; empty if there is none.
    thresholds, threshold_rule
        Threshold by class and how the thresholds were set; empty under the other decision rules.
    score_curves
        Curves of the scores as probabilities; None in evaluations of earlier versions.
    prevalence
        Prevalence by class for which predictive values were computed.
    predictive_values
        PPV ("ppv") and NPV ("npv") of these classes at their prevalence, at the decision rule.
    """

    classes: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]
    support: tuple[int, ...]
    lesion_support: tuple[int, ...]
    n_images: int
    n_lesions: int
    curves: dict[str, ClassCurves]
    caveats: tuple[str, ...]
    confidence: float
    n_resamples: int
    seed: int
    decision: str
    task: tuple[str, ...] = ()
    thresholds: dict[str, float] = field(default_factory=dict)
    threshold_rule: str = ""
    score_curves: ScoreCurves | None = None
    prevalence: dict[str, float] = field(default_factory=dict)
    predictive_values: tuple[Estimate, ...] = ()

    def estimate(self, metric: str, scope: Scope) -> Estimate:
        """Return the estimate of a metric in a scope.

        Raises
        ------
        PredictionsError
            The metric does not exist, or has no estimate in this scope.
        """
        names = {estimate.metric for estimate in self.estimates}
        if metric not in names:
            raise PredictionsError(unknown_name_message("metric", metric, names))
        by_scope = {estimate.scope: estimate for estimate in self.estimates if estimate.metric == metric}
        if scope not in by_scope:
            raise PredictionsError(_unknown_scope_message(metric, scope, by_scope))
        return by_scope[scope]

    def value(self, metric: str, scope: Scope = MACRO) -> float:
        """Return the value of a metric in a scope."""
        return self.estimate(metric, scope).value

    def to_json(self) -> str:
        """Serialize to JSON; undefined numbers are null."""
        records = {
            name: [estimate.to_record() for estimate in getattr(self, name)]
            for name in ("estimates", "predictive_values")
        }
        return to_json_text({"format": EVALUATION_FORMAT, **asdict(self), **records})

    @classmethod
    def from_json(cls, text: str) -> "EvaluationResult":
        """Parse the text that `to_json` returned.

        Raises
        ------
        PredictionsError
            The text is not an evaluation in this format.
        """
        try:
            fields = json.loads(text)
            if fields.pop("format") != EVALUATION_FORMAT:
                raise PredictionsError(
                    f"this evaluation is not in the format {EVALUATION_FORMAT}; evaluate its predictions again: "
                    "lesionlens evaluate PREDICTIONS -o FOLDER"
                )
            for name in {"estimates", "predictive_values"} & set(fields):
                fields[name] = tuple(map(Estimate.from_record, fields[name]))
            if fields.get("score_curves"):
                fields["score_curves"] = ScoreCurves.from_record(fields["score_curves"])
            fields["curves"] = {
                name: ClassCurves(**_lists_to_tuples(record)) for name, record in fields["curves"].items()
            }
            fields["confusion_matrix"] = tuple(tuple(row) for row in fields["confusion_matrix"])
            return cls(**_lists_to_tuples(fields))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise PredictionsError(
                f"this is not an evaluation written by LesionLens: {error!r}; evaluate the predictions again"
            ) from error


def _unknown_scope_message(metric: str, scope: Scope, allowed: Iterable[Scope]) -> str:
    if isinstance(scope, str) and scope in {str(aggregate) for aggregate in Aggregate}:
        return f"there is no class {scope!r}; for the {metric} of the aggregate, pass Aggregate({scope!r})"
    return unknown_name_message(f"{metric} of", str(scope), map(str, allowed))


def write_evaluation(path: Path | str, evaluation: EvaluationResult) -> None:
    """Write an evaluation to a JSON file, atomically."""
    write_text(Path(path), evaluation.to_json())


def read_evaluation(path: Path | str) -> EvaluationResult:
    """Read an evaluation that `write_evaluation` wrote.

    Raises
    ------
    PredictionsError
        The file cannot be read, or is not an evaluation in this format.
    """
    try:
        return EvaluationResult.from_json(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PredictionsError(f"cannot read the evaluation {path}: {error}") from error
    except PredictionsError as error:
        raise PredictionsError(f"{path}: {error}") from error


def _none_to_nan(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: math.nan if value is None else value for key, value in fields.items()}


def _lists_to_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
