"""Calibrate the saved model of a finished run again, for example with another method or detector."""

from pathlib import Path

from lesionlens.core.errors import RunError
from lesionlens.core.types import ProgressCallback
from lesionlens.inference.batch import run_inference
from lesionlens.inference.calibrate_model import calibrate_and_save
from lesionlens.inference.inputs import inputs_from_table
from lesionlens.models.saved_model import load_model
from lesionlens.runs.run_dir import RunDir, read_recipe
from lesionlens.training.setup import read_task_data
from lesionlens.uncertainty.calibrate import CalibrationOptions, calibrating_split
from lesionlens.uncertainty.calibration import FittedCalibration


def calibrate_run(
    run_dir: RunDir,
    *,
    options: CalibrationOptions,
    device: str = "cpu",
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
        See ``load_model`` and ``run_inference``.

    Raises
    ------
    RunError
        The run has no model, or its dataset has changed.
    PredictionsError
        The images are of fewer than two classes.
    """
    if not run_dir.best_model.is_dir():
        raise RunError(f"{run_dir.path} has no model yet; resume its training first")
    recipe = read_recipe(run_dir)
    data = read_task_data(recipe)
    run_dir.check_dataset(run_dir.metadata()["data"].get("fingerprint"), data.table.fingerprint())
    split = calibrating_split(data.splits.splits)
    mask_dir = Path(recipe.data.mask_dir) if recipe.data.mask_dir else None
    table = data.table.select(data.splits.splits[split])
    inputs = inputs_from_table(table, data.task.name, mask_dir=mask_dir)
    loaded = load_model(run_dir.best_model, device=device)
    result = run_inference(loaded, inputs, keep_features=True, on_progress=on_progress)
    return calibrate_and_save(run_dir.best_model, loaded, result, split=split, options=options)
