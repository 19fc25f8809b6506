"""The record of a measurement, and its JSON file."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lesionlens.atomic import write_text
from lesionlens.errors import PredictionsError, unknown
from lesionlens.evaluation.curves import Curves

FORMAT = "lesionlens-evaluation/2"
REMARKS = "; "  # between the remarks of a note
NOTICE = "Research use only, not a medical device."


@dataclass(frozen=True)
class Estimate:
    """One number with its interval.

    Attributes
    ----------
    metric
        auc, average_precision, sensitivity, specificity, precision, f1, accuracy, balanced_accuracy or f1_swapped.
    of
        A class, "macro" (mean over classes), "weighted" (by the classes' images) or "all" (all images together).
    value, low, high
        The number and the bounds of its interval; NaN where it is not defined.
    note
        Why there is no number, or what to know about the interval; else "".
    """

    metric: str
    of: str
    value: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class Evaluation:
    """What was measured on one set of predictions.

    Attributes
    ----------
    classes
        Names of the k classes.
    estimates
        Every number with its interval.
    confusion
        Images by true class (row) and decided class (column), (k, k): that of the largest score, or of two
        classes by their one threshold.
    support, lesion_support
        Images and lesions of each class, (k,).
    images, lesions
        Number of images and of different lesions measured.
    curves
        Class to its curves; a class without images, or without others, has none.
    notes
        What to know about the whole.
    confidence, replicates, seed
        How it was resampled.
    decision
        "argmax", "half" or "thresholds".
    task
        What was measured of the predictions: "all", a class against the rest, or "CLASS/OTHER".
    thresholds, threshold_rule
        Class to threshold and how they were chosen; empty under the other decisions.
    """

    classes: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    confusion: tuple[tuple[int, ...], ...]
    support: tuple[int, ...]
    lesion_support: tuple[int, ...]
    images: int
    lesions: int
    curves: dict[str, Curves]
    notes: tuple[str, ...]
    confidence: float
    replicates: int
    seed: int
    decision: str
    task: str = "all"
    thresholds: dict[str, float] = field(default_factory=dict)
    threshold_rule: str = ""

    def estimate(self, metric: str, of: str) -> Estimate:
        """Find one estimate.

        Raises
        ------
        PredictionsError
            There is no such metric, or not of this class.
        """
        for each in self.estimates:
            if (each.metric, each.of) == (metric, of):
                return each
        if metric not in {each.metric for each in self.estimates}:
            raise PredictionsError(unknown("metric", metric, {each.metric for each in self.estimates}))
        allowed = {each.of for each in self.estimates if each.metric == metric}
        raise PredictionsError(unknown(f"{metric} of", of, allowed))

    def value(self, metric: str, of: str = "macro") -> float:
        """Give the value of one estimate."""
        return self.estimate(metric, of).value

    def to_json(self) -> str:
        """Write the record as JSON; what is not defined is null."""
        return (
            json.dumps({"format": FORMAT, **_without_nan(asdict(self))}, indent=1, ensure_ascii=False) + "\n"
        )

    @classmethod
    def from_json(cls, text: str) -> "Evaluation":
        """Read what `to_json` wrote.

        Raises
        ------
        PredictionsError
            The text is no evaluation of this format.
        """
        try:
            fields = json.loads(text)
            if fields.pop("format") != FORMAT:
                raise PredictionsError(
                    f"this evaluation is not in the format {FORMAT}; evaluate its predictions again: "
                    "lesionlens evaluate PREDICTIONS -o FOLDER"
                )
            fields["estimates"] = tuple(Estimate(**_with_nan(each)) for each in fields["estimates"])
            fields["curves"] = {name: Curves(**_tuples(each)) for name, each in fields["curves"].items()}
            fields["confusion"] = tuple(tuple(row) for row in fields["confusion"])
            return cls(**_tuples(fields))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise PredictionsError(
                f"this is no evaluation that LesionLens wrote: {error!r}; evaluate again"
            ) from error


def write_evaluation(path: Path | str, evaluation: Evaluation) -> None:
    """Write an evaluation as JSON, atomically."""
    write_text(Path(path), evaluation.to_json())


def read_evaluation(path: Path | str) -> Evaluation:
    """Read an evaluation that `write_evaluation` wrote; a PredictionsError says what is wrong."""
    try:
        return Evaluation.from_json(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PredictionsError(f"cannot read the evaluation {path}: {error}") from error
    except PredictionsError as error:
        raise PredictionsError(f"{path}: {error}") from error


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _with_nan(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: math.nan if value is None else value for key, value in fields.items()}


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
