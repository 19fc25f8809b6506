"""Calibrate the saved model of a finished run again, for example with another method or detector."""

from lesionlens.core.types import ProgressCallback
from lesionlens.inference.batch import run_inference
from lesionlens.inference.calibrate_model import calibrate_and_save
from lesionlens.inference.engines import open_engine
from lesionlens.models.saved_model import load_saved_model
from lesionlens.runs.run_dir import RunDir, read_recipe
from lesionlens.training.run_images import split_images
from lesionlens.uncertainty.calibrate import CalibrationOptions, calibrating_split
from lesionlens.uncertainty.calibration import FittedCalibration


def calibrate_run(
    run_dir: RunDir,
    *,
    options: CalibrationOptions,
    device: str = "auto",
    on_progress: ProgressCallback | None = None,
) -> FittedCalibration:
    """Calibrate the model of a run on its calibration split or, if it has none, on its validation split.

    Parameters
    ----------
    run_dir
        Finished run.
    options
        Method, detector and bootstrap.
    device, on_progress
        See ``load_saved_model`` and ``run_inference``.

    Raises
    ------
    RunError
        The run has no model, or its dataset has changed.
    PredictionsError
        The images are of fewer than two classes.
    """
    by_split = split_images(run_dir, ("calibration", "validation"))
    split = calibrating_split(by_split)
    loaded = load_saved_model(run_dir.best_model, device=device)
    engine = open_engine(loaded, "torch", num_images=len(by_split[split].image))
    result = run_inference(engine, loaded.card, by_split[split], keep_features=True, on_progress=on_progress)
    return calibrate_and_save(
        loaded,
        result,
        split=split,
        selected_model=read_recipe(run_dir).train.selects_on(split),
        options=options,
    )
