"""What a model knows about its limits: the file ``calibration.json`` and its arrays, stored with the weights.

``calibration.safetensors`` has the arrays of the detector of unknown images. Both files name the weights and each other
by their SHA-256, so that numbers of another model are never applied.
"""

import hashlib
import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from lesionlens import __version__
from lesionlens.core.errors import SavedModelError
from lesionlens.core.fileio import atomic_write
from lesionlens.core.json_file import write_json
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.evaluation.formatting import UNDEFINED_SYMBOL
from lesionlens.uncertainty.ood_detectors import OODDetector
from lesionlens.uncertainty.scaling import Scaling, ScalingMethod

CALIBRATION_FILE, ARRAYS_FILE = "calibration.json", "calibration.safetensors"
COVERAGES = (0.8, 0.9, 0.95)

Number = Annotated[float, BeforeValidator(lambda value: float("nan") if value is None else value)]
Quantile = Annotated[float, BeforeValidator(lambda value: float("inf") if value is None else value)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IntervalEstimate(_Record):
    """A value with the bounds of its 95 % interval over lesions; NaN where undefined."""

    value: Number
    low: Number
    high: Number

    def to_text(self, *, digits: int = 2, interval: bool = True) -> str:
        """Return the value and its interval; a dash if the value is undefined, no interval if that is undefined.

        Examples
        --------
        >>> IntervalEstimate(value=0.812, low=0.744, high=0.869).to_text()
        '0.81 (0.74–0.87)'
        >>> IntervalEstimate(value=math.nan, low=math.nan, high=math.nan).to_text()
        '–'
        """
        if math.isnan(self.value):
            return UNDEFINED_SYMBOL
        value, low, high = (f"{number:.{digits}f}" for number in (self.value, self.low, self.high))
        return f"{value} ({low}–{high})" if interval and not math.isnan(self.low) else value


class PredictionSetRule(_Record):
    """Quantiles by which prediction sets reach a coverage.

    Attributes
    ----------
    coverage
        Fraction of new images whose set contains their class.
    quantile
        Quantile for all images together (marginal coverage); infinite if there are too few lesions.
    class_quantiles
        Quantile of each class, by which the coverage holds for the images of every class.
    """

    coverage: float
    quantile: Quantile
    class_quantiles: dict[str, Quantile]

    def quantiles(self, classes: tuple[str, ...], *, class_conditional: bool) -> np.ndarray[Any, Any]:
        """Return the quantile of each class, (k,)."""
        values = [self.class_quantiles[name] if class_conditional else self.quantile for name in classes]
        return np.array(values)


class OperatingPoint(_Record):
    """A threshold of the calibrated score of a class, and what it achieves on the calibration images.

    Attributes
    ----------
    class_name
        The class.
    rule
        ``0.5``, ``youden``, or ``sensitivity:0.89``.
    threshold
        Images with a calibrated score at or above it are predicted to be of the class.
    sensitivity, specificity, ppv, npv
        Achieved values; PPV and NPV hold for the prevalence of the calibration images.
    n_lesions, n_other_lesions
        Number of lesions of the class and of other classes.
    """

    class_name: str
    rule: str
    threshold: float
    sensitivity: IntervalEstimate
    specificity: IntervalEstimate
    ppv: IntervalEstimate
    npv: IntervalEstimate
    n_lesions: int
    n_other_lesions: int


class OODRule(_Record):
    """Score threshold of the detector of unknown images.

    Attributes
    ----------
    detector
        Name of the detector.
    false_alarm_rate
        Fraction of images like those of the calibration that the score threshold flags.
    cutoff
        Images with a score of the detector above it are flagged as unknown; infinite if there are too few lesions.
    n_lesions
        Number of lesions of the calibration.
    """

    detector: str
    false_alarm_rate: float
    cutoff: Quantile
    n_lesions: int


class Calibration(_Record):
    """Limits of a model, measured on images with labels.

    Attributes
    ----------
    format, lesionlens, intended_use
        Version of the file format and of LesionLens, and the notice about the intended use.
    weights_sha256, arrays_sha256
        Digest of the weights ("" for a prediction file) and of ``calibration.safetensors`` ("" without arrays).
    classes
        Names of the k classes of the predictions.
    independent
        Whether the scores of the classes are independent (multi-label).
    split
        ``calibration`` (images that neither train nor select), ``validation``, or ``file``.
    n_images, n_lesions, lesions_by_class
        Number of calibration images and lesions.
    method
        ``temperature`` or ``vector``.
    scale, bias
        Calibrated scores are the softmax (or sigmoid) of scale · log score + bias.
    temperature
        Temperature with its interval.
    prediction_sets
        One rule for each of ``COVERAGES``; empty if no coverage can be promised.
    operating_points
        Thresholds of each class.
    ood
        Score threshold for unknown images; None without a detector.
    caveats
        Limits of these numbers, one sentence each.
    """

    format: Literal[1] = 1
    lesionlens: str = __version__
    intended_use: str = RESEARCH_USE_NOTICE
    weights_sha256: str = ""
    arrays_sha256: str = ""
    classes: tuple[str, ...]
    independent: bool
    split: Literal["calibration", "validation", "file"]
    n_images: int
    n_lesions: int
    lesions_by_class: dict[str, int]
    method: ScalingMethod
    scale: tuple[float, ...]
    bias: tuple[float, ...]
    temperature: IntervalEstimate
    prediction_sets: tuple[PredictionSetRule, ...]
    operating_points: tuple[OperatingPoint, ...]
    ood: OODRule | None = None
    caveats: tuple[str, ...] = ()

    @property
    def scaling(self) -> Scaling:
        """Function from log scores to calibrated ones."""
        return Scaling(self.scale, self.bias)

    def prediction_set_rule(self, coverage: float) -> PredictionSetRule | None:
        """Return the rule of a coverage; None if no coverage can be promised.

        Raises
        ------
        SavedModelError
            There are rules, but none for this coverage.
        """
        for rule in self.prediction_sets:
            if rule.coverage == coverage:
                return rule
        if self.prediction_sets:
            allowed = ", ".join(f"{rule.coverage:g}" for rule in self.prediction_sets)
            raise SavedModelError(f"no prediction sets for a coverage of {coverage:g}; allowed are {allowed}")
        return None


class FittedCalibration(NamedTuple):
    """A calibration, and its detector of unknown images; None without one."""

    calibration: Calibration
    detector: OODDetector | None


def save_calibration(folder: Path, fitted: FittedCalibration) -> None:
    """Write a calibration and the arrays of its detector to a folder.

    The arrays are written first, so that an interruption leaves a pair that is rejected, not one that is wrong.

    Raises
    ------
    RunError
        The folder cannot be written.
    """
    calibration, detector = fitted
    if detector is not None:
        arrays = {
            f"{detector.name}.{key}": np.ascontiguousarray(value) for key, value in detector.arrays.items()
        }
        content = save({**arrays, "reference": np.ascontiguousarray(detector.reference)})
        with atomic_write(folder / ARRAYS_FILE) as file:
            file.write_bytes(content)
        calibration = calibration.model_copy(update={"arrays_sha256": hashlib.sha256(content).hexdigest()})
    write_calibration(folder / CALIBRATION_FILE, calibration)


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write the numbers of a calibration as JSON; infinite quantiles and undefined values become null."""
    write_json(path, calibration.model_dump())


def read_calibration(path: Path) -> Calibration:
    """Read ``calibration.json``.

    Raises
    ------
    SavedModelError
        The file is missing, damaged or of another version.
    """
    try:
        return Calibration.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:  # pydantic's ValidationError is a ValueError
        reason = (
            f"{'.'.join(map(str, error.errors()[0]['loc']))}: {error.errors()[0]['msg']}"
            if isinstance(error, ValidationError)
            else str(error)
        )
        raise SavedModelError(
            f"{path} is damaged, or another version of LesionLens wrote it ({reason}). Run lesionlens calibrate again"
        ) from error


def load_calibration(folder: Path, *, weights_sha256: str) -> FittedCalibration | None:
    """Load the calibration of a saved model and its detector; None if the model has none.

    Parameters
    ----------
    folder
        Directory of the model.
    weights_sha256
        Digest of the weights, from the card of the model.

    Raises
    ------
    SavedModelError
        A file is damaged, or belongs to other weights.
    """
    if not (folder / CALIBRATION_FILE).is_file():
        return None
    calibration = read_calibration(folder / CALIBRATION_FILE)
    if calibration.weights_sha256 != weights_sha256:
        raise SavedModelError(
            f"{folder / CALIBRATION_FILE} was measured with other weights than those in {folder}. Run lesionlens "
            "calibrate again, or predict with --no-calibration"
        )
    return FittedCalibration(calibration, _load_detector(folder, calibration))


def _load_detector(folder: Path, calibration: Calibration) -> OODDetector | None:
    if calibration.ood is None:
        return None
    file, name = folder / ARRAYS_FILE, calibration.ood.detector
    try:
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != calibration.arrays_sha256:
            raise SavedModelError(
                f"{file} differs from its checksum in {CALIBRATION_FILE}. Run lesionlens calibrate again"
            )
        arrays = load(content)
    except (OSError, SafetensorError) as error:
        raise SavedModelError(f"{file} cannot be read: {error}. Run lesionlens calibrate again") from error
    reference = arrays.pop("reference")
    prefix = f"{name}."
    return OODDetector(name, {key.removeprefix(prefix): value for key, value in arrays.items()}, reference)
