"""Evaluate the saved model of a run: predictions, metrics, attention maps of example cases, and the report."""

from dataclasses import replace
from typing import Literal

from rich.console import Console

from lesionlens.core.console import activity, print_warning, progress_bar
from lesionlens.core.errors import PredictionsError, RunError
from lesionlens.datasets.excluded import ExcludedImage, write_excluded
from lesionlens.evaluation.case_selection import select_cases
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import write_predictions
from lesionlens.evaluation.result import write_evaluation
from lesionlens.explanation.gallery import write_gallery
from lesionlens.inference.batch import run_inference
from lesionlens.inference.calibrate_model import calibrate_and_save
from lesionlens.inference.engines import open_engine
from lesionlens.inference.inputs import InferenceInputs, inputs_from_table
from lesionlens.inference.results import InferenceResult
from lesionlens.models.saved_model import LoadedModel, load_saved_model
from lesionlens.report.build import build_report
from lesionlens.runs.run_dir import RunDir
from lesionlens.training.auto_values import resolve_training_device
from lesionlens.training.build import RunComponents
from lesionlens.training.evaluate_subgroups import evaluate_run_subgroups
from lesionlens.training.setup import TRAINING_SPLITS
from lesionlens.uncertainty.apply import apply_calibration
from lesionlens.uncertainty.calibrate import calibrating_split
from lesionlens.uncertainty.calibration import FittedCalibration

MISSING_MASK = "no lesion mask, or an empty one: used uncropped"


def evaluate_run(components: RunComponents, run_dir: RunDir, *, console: Console) -> None:
    """Calibrate the saved model, evaluate it on the validation and test splits, and write the report.

    Images that calibrated the model have no calibrated scores, which would look better than they are. A model that
    cannot be calibrated has no calibration; a caveat in the metadata states why.

    Raises
    ------
    RunError
        No epoch had a finite value of the monitored metric, so that no model was saved.
    """
    setup = components.setup
    if not (run_dir.best_model / "model_card.json").is_file():
        raise RunError(
            f"no epoch had a finite {setup.recipe.train.monitor}, so no model was saved. Check that the validation "
            "split contains at least two classes, and lower train.lr"
        )
    loaded = load_saved_model(run_dir.best_model, device=resolve_training_device(setup.recipe.train))
    masks = setup.lesion_masks()
    excluded = list(components.excluded)
    source = calibrating_split(setup.splits.splits)
    fitted: FittedCalibration | None = None
    # the calibration is applied to the splits after it; example cases and subgroups come from the last one
    present = [name for name in (source, "validation", "test") if name in setup.splits.splits]
    for name in dict.fromkeys(present):
        inputs = inputs_from_table(setup.split_table(name), setup.task.name)
        inputs = replace(inputs, mask=tuple(masks[image_id] for image_id in inputs.image_id))
        results = _run_inference(loaded, inputs, name, console, fitted=fitted, keep_features=name == source)
        if name == source:
            selected_model = setup.recipe.train.selects_on(source)
            fitted = _calibrate(loaded, results, source, run_dir, console, selected_model=selected_model)
        calibrates = not set(setup.splits.splits[source]).isdisjoint(setup.splits.splits[name])
        predictions = _with_calibration(results, None if calibrates else fitted)
        write_predictions(run_dir.predictions(name), predictions)
        if name != "calibration":
            with activity(console, f"evaluating {name}"):
                write_evaluation(run_dir.evaluation(name), evaluate(predictions))
        excluded += _excluded_images(name, inputs, results)
    write_excluded(run_dir.excluded, dict.fromkeys(excluded))
    run_dir.update(data={**run_dir.metadata()["data"], "excluded": len(set(excluded))})
    with activity(console, "comparing subgroups"):
        subgroups = evaluate_run_subgroups(predictions, setup.split_table(name).frame)
        if subgroups is not None:
            subgroups.write(run_dir.evaluation(name).parent)
    paths = dict(zip(inputs.image_id, inputs.paths, strict=True))
    known_masks = {image_id: mask for image_id, mask in masks.items() if mask}
    cases = select_cases(results.predictions)
    with activity(console, "rendering attention maps and the report"):
        write_gallery(loaded, paths, cases, run_dir.path / "attention_maps", masks=known_masks)
        build_report(run_dir.path)


def _calibrate(
    loaded: LoadedModel,
    results: InferenceResult,
    split: Literal["calibration", "validation"],
    run_dir: RunDir,
    console: Console,
    *,
    selected_model: bool,
) -> FittedCalibration | None:
    """Calibrate the model and record the caveats; None if the split does not allow it."""
    try:
        with activity(console, f"calibrating on {split}"):
            fitted = calibrate_and_save(loaded, results, split=split, selected_model=selected_model)
    except PredictionsError as error:
        print_warning(console, f"the model is not calibrated: {error}")
        run_dir.update(calibration={"split": split, "caveats": [f"the model is not calibrated: {error}"]})
        return None
    for caveat in fitted.calibration.caveats:
        print_warning(console, caveat)
    run_dir.update(calibration={"split": split, "caveats": list(fitted.calibration.caveats)})
    return fitted


def _with_calibration(results: InferenceResult, fitted: FittedCalibration | None) -> Predictions:
    """Return the predictions with the columns of the calibration, if there is one."""
    if fitted is None:
        return results.predictions
    return apply_calibration(results.predictions, fitted, ood_scores=results.ood_scores)


def _run_inference(
    loaded: LoadedModel,
    inputs: InferenceInputs,
    split: str,
    console: Console,
    *,
    fitted: FittedCalibration | None,
    keep_features: bool,
) -> InferenceResult:
    with progress_bar(console) as progress:
        task_id = progress.add_task(f"predicting {split}", total=len(inputs.image))
        return run_inference(
            open_engine(loaded, "torch", num_images=len(inputs.image)),
            loaded.card,
            inputs,
            on_progress=lambda done, _: progress.update(task_id, completed=done),
            detector=None if fitted is None else fitted.detector,
            keep_features=keep_features,
        )


def _excluded_images(split: str, inputs: InferenceInputs, results: InferenceResult) -> list[ExcludedImage]:
    """Return the images of a split without predictions and, unless training has listed them, those without a mask."""
    predicted = set(results.predictions.image_id)
    missing = [image_id for image_id in inputs.image_id if image_id not in predicted]
    failed = [
        ExcludedImage(image_id, split, reason)
        for image_id, reason in zip(missing, results.failures, strict=True)
    ]
    uncropped = () if split in TRAINING_SPLITS else results.missing_mask_ids
    return failed + [ExcludedImage(image_id, split, MISSING_MASK) for image_id in uncropped]
