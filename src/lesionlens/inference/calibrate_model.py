"""Calibrate a saved model on labeled images, and store the calibration with its weights."""

from collections.abc import Sequence
from pathlib import Path

from lesionlens.core.types import ProgressCallback
from lesionlens.inference.batch import run_inference
from lesionlens.inference.inputs import collect_inputs, map_labels_to_model_classes
from lesionlens.inference.results import InferenceResult
from lesionlens.models.saved_model import LoadedModel, find_model_dir, load_model
from lesionlens.uncertainty.calibrate import CalibrationOptions, CalibrationSplit, calibrate
from lesionlens.uncertainty.calibration import FittedCalibration, save_calibration


def calibrate_on_images(
    model_dir: Path | str,
    images: Sequence[str | Path],
    *,
    options: CalibrationOptions,
    device: str = "cpu",
    on_progress: ProgressCallback | None = None,
) -> FittedCalibration:
    """Calibrate a saved model on labeled images that neither trained it nor selected it.

    Parameters
    ----------
    model_dir
        Directory of a saved model or of a run.
    images
        Tables with labels (``NAME:ROOT``, a CSV or parquet file).
    options
        Method, detector and bootstrap.
    device, on_progress
        See ``load_model`` and ``run_inference``.

    Raises
    ------
    LesionLensError
        The model or the images cannot be used, or the images are of fewer than two classes.
    """
    loaded = load_model(model_dir, device=device)
    inputs = map_labels_to_model_classes(collect_inputs(images), loaded.card)
    result = run_inference(loaded, inputs, keep_features=True, on_progress=on_progress)
    return calibrate_and_save(find_model_dir(Path(model_dir)), loaded, result, split="file", options=options)


def calibrate_and_save(
    folder: Path,
    loaded: LoadedModel,
    result: InferenceResult,
    *,
    split: CalibrationSplit,
    options: CalibrationOptions | None = None,
) -> FittedCalibration:
    """Calibrate a model on results with features, and write the calibration to the directory of the model.

    Raises
    ------
    PredictionsError
        The images are of fewer than two classes.
    RunError
        The directory cannot be written.
    """
    fitted = calibrate(result.predictions, split=split, features=result.features, options=options)
    weights = {"weights_sha256": loaded.card.weights_sha256}
    fitted = fitted._replace(calibration=fitted.calibration.model_copy(update=weights))
    save_calibration(folder, fitted)
    return fitted
