"""Calibrate a saved model on labeled images, and store the calibration with its weights."""

from collections.abc import Sequence
from pathlib import Path

from lesionlens.core.errors import PredictionsError
from lesionlens.core.types import ProgressCallback
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import as_predictions
from lesionlens.imaging.sources import ImageSource
from lesionlens.inference.batch import run_inference
from lesionlens.inference.engines import open_engine
from lesionlens.inference.inputs import collect_inputs, map_labels_to_model_classes
from lesionlens.inference.predictor import Predictor
from lesionlens.inference.results import InferenceResult
from lesionlens.models.saved_model import LoadedModel, load_saved_model
from lesionlens.uncertainty.calibrate import CalibrationOptions, CalibrationSplit, fit_calibration
from lesionlens.uncertainty.calibration import FittedCalibration, save_calibration


def calibrate(
    source: LoadedModel | Predictions | Path | str,
    images: Sequence[ImageSource] | None = None,
    *,
    labels: Sequence[str] | None = None,
    options: CalibrationOptions | None = None,
    device: str = "auto",
    on_progress: ProgressCallback | None = None,
) -> FittedCalibration:
    """Calibrate a model on labeled images that neither trained it nor selected it.

    With images, the calibration is stored next to the weights of the model, and ``predict`` uses it from then on.
    Without images, it is computed from predictions and only returned, without a detector of unknown images.

    Parameters
    ----------
    source
        Saved model or run, or a model that was loaded from one; or, without images, predictions or a file of them.
    images, labels
        As for ``predict``; the labels are needed.
    options
        Method, detector and bootstrap; default: those of ``CalibrationOptions``.
    device, on_progress
        See ``load_model`` and ``run_inference``.

    Raises
    ------
    LesionLensError
        The model or the images cannot be used, or the images are of fewer than two classes.
    """
    if images is None:
        if isinstance(source, LoadedModel):
            raise PredictionsError(
                "A model is calibrated on labeled images: pass images=, with a table of labels"
            )
        return fit_calibration(as_predictions(source), split="file", options=options)
    if isinstance(source, Predictions):
        raise PredictionsError("Pass either predictions, or a model with images")
    loaded = source if isinstance(source, LoadedModel) else load_saved_model(source, device=device)
    inputs = map_labels_to_model_classes(collect_inputs(images, labels=labels), loaded.card)
    engine = open_engine(loaded, "torch", num_images=len(inputs.image))
    result = run_inference(engine, loaded.card, inputs, keep_features=True, on_progress=on_progress)
    fitted = calibrate_and_save(loaded, result, split="file", options=options)
    if isinstance(loaded, Predictor):
        loaded.reload_calibration()
    return fitted


def calibrate_and_save(
    loaded: LoadedModel,
    result: InferenceResult,
    *,
    split: CalibrationSplit,
    selected_model: bool | None = None,
    options: CalibrationOptions | None = None,
) -> FittedCalibration:
    """Calibrate a model on results with features, and write the calibration to the directory of the model.

    The options are those of ``fit_calibration``.

    Raises
    ------
    PredictionsError
        The images are of fewer than two classes.
    RunError
        The directory cannot be written.
    """
    fitted = fit_calibration(
        result.predictions,
        split=split,
        selected_model=selected_model,
        features=result.features,
        options=options,
    )
    weights = {"weights_sha256": loaded.card.weights_sha256}
    fitted = fitted._replace(calibration=fitted.calibration.model_copy(update=weights))
    save_calibration(loaded.directory, fitted)
    return fitted
