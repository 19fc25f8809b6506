"""A saved model that scores images when it is called: files, bytes, images of Pillow and arrays."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import overload

import numpy as np
import torch

from lesionlens.core.errors import ImageError
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.imaging.sources import ImageSource, as_image_list, is_image_source
from lesionlens.inference.batch import run_inference
from lesionlens.inference.engine import InferenceEngine
from lesionlens.inference.inputs import InferenceInputs
from lesionlens.inference.predict import apply_to_result, calibration_of
from lesionlens.inference.results import InferenceResult
from lesionlens.inference.torch_engine import open_torch_engine
from lesionlens.models.saved_model import LoadedModel, load_saved_model
from lesionlens.uncertainty.apply import DEFAULT_COVERAGE
from lesionlens.uncertainty.calibration import FittedCalibration


@dataclass(frozen=True)
class ImagePrediction:
    """Prediction for one image; without a calibration of the model, only the scores are known.

    Attributes
    ----------
    image
        Path of the image; ``image_1``, ``image_2`` and so on, by their position, for images in memory.
    scores
        Model score of each class.
    calibrated_scores
        Calibrated score of each class.
    prediction_set
        Classes that the coverage requires; one, several or none.
    abstain
        Whether the model abstains: the set does not have exactly one class, or the image is unlike the calibration
        images.
    ood_percentile
        Percentile of the distance of the image to the training images, from 0 to 100.
    caveats
        Limits of the calibration, one sentence each.
    """

    image: str
    scores: dict[str, float]
    calibrated_scores: dict[str, float] | None = None
    prediction_set: tuple[str, ...] | None = None
    abstain: bool | None = None
    ood_percentile: float | None = None
    caveats: tuple[str, ...] = ()

    @property
    def predicted(self) -> str:
        """Class with the highest score."""
        return max(self.scores, key=self.scores.__getitem__)

    def __str__(self) -> str:
        scores = ", ".join(f"{name} {score:.3f}" for name, score in self.scores.items())
        lines = [f"{self.image}: model score {scores}"]
        if self.prediction_set is not None:
            lines.append(f"prediction set: {', '.join(self.prediction_set) or 'empty'}")
        if self.abstain:
            lines.append("the model abstains")
        return "\n".join([*lines, *self.caveats, RESEARCH_USE_NOTICE])


@dataclass(frozen=True)
class Predictor(LoadedModel):
    """Saved model that scores an image, or a list of images, when it is called.

    Attributes
    ----------
    model, card, path
        As of ``LoadedModel``; functions that take one take a predictor as well.
    """

    @cached_property
    def calibration(self) -> FittedCalibration | None:
        """Calibration that is stored with the weights, if there is one."""
        return calibration_of(self)

    def reload_calibration(self) -> None:
        """Read the calibration again at the next call, after the model was calibrated."""
        self.__dict__.pop("calibration", None)

    @cached_property
    def _engine(self) -> InferenceEngine:
        return open_torch_engine(self, precision="fp32")

    @overload
    def __call__(self, images: ImageSource, *, coverage: float = ...) -> ImagePrediction: ...
    @overload
    def __call__(self, images: list[ImageSource], *, coverage: float = ...) -> list[ImagePrediction]: ...

    def __call__(
        self, images: ImageSource | list[ImageSource], *, coverage: float = DEFAULT_COVERAGE
    ) -> ImagePrediction | list[ImagePrediction]:
        """Score images with the preprocessing of the model card: the same scores as ``predict`` gives for their files.

        Images are computed one by one, so that the scores do not depend on the others, not even in the last digits.
        For many images, ``predict`` is faster.

        Parameters
        ----------
        images
            Image, or list of images: path or content of a file, image of Pillow, or RGB array (h, w, 3) of type uint8.
        coverage
            Coverage of the prediction sets of a calibrated model.

        Returns
        -------
        ImagePrediction or list of ImagePrediction
            One prediction for an image; a list in the same order for a list.

        Raises
        ------
        DataError
            An image cannot be read; ``predict`` skips such images instead.
        PredictionsError
            The model has no prediction sets of this coverage.
        TypeError
            ``images`` contains something else.
        """
        sources = as_image_list([images] if is_image_source(images) else images, "images")
        if not sources:
            return []
        fitted = self.calibration
        if fitted is not None:
            fitted.calibration.prediction_set_rule(coverage)
        detector = None if fitted is None else fitted.detector
        result = run_inference(self._engine, self.card, _as_inputs(sources), batch_size=1, detector=detector)
        if result.failures:
            raise ImageError("\n".join(result.failures))
        result = apply_to_result(result, fitted=fitted, coverage=coverage, class_conditional=False)
        predictions = [
            _image_prediction(result, index, name) for index, name in enumerate(map(_name, sources, count(1)))
        ]
        return predictions[0] if is_image_source(images) else predictions


def _name(source: ImageSource, number: int) -> str:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else f"image_{number}"


def _as_inputs(sources: Sequence[ImageSource]) -> InferenceInputs:
    """Return inputs that are named by their number, so that one file can be scored several times."""
    names = tuple(f"image_{number}" for number, _ in enumerate(sources, start=1))
    images = tuple(
        Path(source).expanduser() if isinstance(source, str | os.PathLike) else source for source in sources
    )
    nothing = len(sources) * ("",)
    return InferenceInputs(names, images, names, nothing, len(sources) * (None,))


def _image_prediction(result: InferenceResult, index: int, name: str) -> ImagePrediction:
    predictions = result.predictions

    def by_class(values: np.ndarray | None) -> dict[str, float] | None:
        return None if values is None else dict(zip(predictions.classes, values[index].tolist(), strict=True))

    sets, abstain, percentile = (
        None if values is None else values[index]
        for values in (predictions.prediction_sets, predictions.abstain, predictions.ood_percentile)
    )
    return ImagePrediction(
        name,
        by_class(predictions.scores) or {},
        by_class(predictions.calibrated_scores),
        None if sets is None else tuple(np.array(predictions.classes)[sets].tolist()),
        None if abstain is None else bool(abstain),
        None if percentile is None else float(percentile),
        result.caveats,
    )


def load_model(name: Path | str, *, device: str | torch.device = "auto") -> Predictor:
    """Load a saved model, to score images by calling it.

    Parameters
    ----------
    name
        Directory of the model, or of a run that contains it in ``model/``; else the name of an installed model (entry
        point in the group ``lesionlens.models``), or ``hf:OWNER/NAME@REVISION`` for one of the Hugging Face Hub.
    device
        Device of the model, as for ``resolve_device``.

    Raises
    ------
    SavedModelError
        A file is missing or damaged, or the weights do not match the network on the card.
    ModelError
        The device is not available.
    """
    loaded = load_saved_model(name, device=device)
    return Predictor(**{field.name: getattr(loaded, field.name) for field in fields(LoadedModel)})
