"""The record of a measurement, and its JSON file."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lesionlens.core.errors import PredictionsError, unknown_name_message
from lesionlens.core.fileio import write_text
from lesionlens.evaluation.metrics import ClassCurves

EVALUATION_FORMAT = "lesionlens-evaluation/3"
CAVEAT_SEPARATOR = "; "  # between the remarks of a note


@dataclass(frozen=True)
class Estimate:
    """One number with its interval.

    Attributes
    ----------
    metric
        auc, average_precision, sensitivity, specificity, precision, f1, accuracy, balanced_accuracy or
        f1_weighted_by_predictions.
    scope
        A class, "macro" (mean over classes), "weighted" (by the classes' images) or "all" (all images together).
    value, low, high
        The number and the bounds of its interval; NaN where it is not defined.
    caveat
        Why there is no number, or what to know about the interval; else "".
    """

    metric: str
    scope: str
    value: float
    low: float
    high: float
    caveat: str = ""


@dataclass(frozen=True)
class EvaluationResult:
    """What was measured on one set of predictions.

    Attributes
    ----------
    classes
        Names of the k classes.
    estimates
        Every number with its interval.
    confusion_matrix
        Images by true class (row) and decided class (column), (k, k): that of the largest score, or of two
        classes by their one threshold.
    support, lesion_support
        Images and lesions of each class, (k,).
    n_images, n_lesions
        Number of images and of different lesions measured.
    curves
        Class to its curves; a class without images, or without others, has none.
    caveats
        What to know about the whole.
    confidence, n_resamples, seed
        How it was resampled.
    decision
        "argmax", "isic" or "thresholds".
    task
        What was measured of the predictions: "all", a class against the rest, or "CLASS/OTHER".
    thresholds, threshold_rule
        Class to threshold and how they were chosen; empty under the other decisions.
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
    task: str = "all"
    thresholds: dict[str, float] = field(default_factory=dict)
    threshold_rule: str = ""

    def estimate(self, metric: str, scope: str) -> Estimate:
        """Find one estimate.

        Raises
        ------
        PredictionsError
            There is no such metric, or not of this class.
        """
        for each in self.estimates:
            if (each.metric, each.scope) == (metric, scope):
                return each
        if metric not in {each.metric for each in self.estimates}:
            raise PredictionsError(
                unknown_name_message("metric", metric, {each.metric for each in self.estimates})
            )
        allowed = {each.scope for each in self.estimates if each.metric == metric}
        raise PredictionsError(unknown_name_message(f"{metric} of", scope, allowed))

    def value(self, metric: str, scope: str = "macro") -> float:
        """Give the value of one estimate."""
        return self.estimate(metric, scope).value

    def to_json(self) -> str:
        """Write the record as JSON; what is not defined is null."""
        return (
            json.dumps(
                {"format": EVALUATION_FORMAT, **_nan_to_none(asdict(self))}, indent=1, ensure_ascii=False
            )
            + "\n"
        )

    @classmethod
    def from_json(cls, text: str) -> "EvaluationResult":
        """Read what `to_json` wrote.

        Raises
        ------
        PredictionsError
            The text is no evaluation of this format.
        """
        try:
            fields = json.loads(text)
            if fields.pop("format") != EVALUATION_FORMAT:
                raise PredictionsError(
                    f"this evaluation is not in the format {EVALUATION_FORMAT}; evaluate its predictions again: "
                    "lesionlens evaluate PREDICTIONS -o FOLDER"
                )
            fields["estimates"] = tuple(Estimate(**_none_to_nan(each)) for each in fields["estimates"])
            fields["curves"] = {
                name: ClassCurves(**_lists_to_tuples(each)) for name, each in fields["curves"].items()
            }
            fields["confusion_matrix"] = tuple(tuple(row) for row in fields["confusion_matrix"])
            return cls(**_lists_to_tuples(fields))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise PredictionsError(
                f"this is no evaluation that LesionLens wrote: {error!r}; evaluate again"
            ) from error


def write_evaluation(path: Path | str, evaluation: EvaluationResult) -> None:
    """Write an evaluation as JSON, atomically."""
    write_text(Path(path), evaluation.to_json())


def read_evaluation(path: Path | str) -> EvaluationResult:
    """Read an evaluation that `write_evaluation` wrote; a PredictionsError says what is wrong."""
    try:
        return EvaluationResult.from_json(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PredictionsError(f"cannot read the evaluation {path}: {error}") from error
    except PredictionsError as error:
        raise PredictionsError(f"{path}: {error}") from error


def _nan_to_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nan_to_none(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_nan_to_none(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _none_to_nan(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: math.nan if value is None else value for key, value in fields.items()}


def _lists_to_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
