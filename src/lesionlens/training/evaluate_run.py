"""Evaluate the saved model of a run: predictions, metrics, attention maps of example cases, and the report."""

from dataclasses import replace

from rich.console import Console

from lesionlens.core.console import activity, progress_bar
from lesionlens.core.errors import RunError
from lesionlens.datasets.excluded import ExcludedImage, write_excluded
from lesionlens.evaluation.case_selection import select_cases
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions_io import write_predictions
from lesionlens.evaluation.result import write_evaluation
from lesionlens.explanation.gallery import write_gallery
from lesionlens.inference.batch import run_inference
from lesionlens.inference.inputs import InferenceInputs, inputs_from_table
from lesionlens.inference.results import InferenceResult
from lesionlens.models.saved_model import LoadedModel, load_model
from lesionlens.report.build import build_report
from lesionlens.runs.run_dir import RunDir
from lesionlens.training.build import RunComponents
from lesionlens.training.setup import TRAINING_SPLITS

MISSING_MASK = "no lesion mask, or an empty one: used uncropped"


def evaluate_run(components: RunComponents, run_dir: RunDir, *, console: Console) -> None:
    """Evaluate the saved model on the validation and test splits and write the report.

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
    loaded = load_model(run_dir.best_model)
    masks = setup.lesion_masks()
    excluded = list(components.excluded)
    for name in ("validation", "test"):
        if name not in setup.splits.splits:
            continue
        inputs = inputs_from_table(setup.split_table(name), setup.task.name)
        inputs = replace(inputs, mask=tuple(masks[image_id] for image_id in inputs.image_id))
        results = _run_inference(loaded, inputs, name, console)
        with activity(console, f"evaluating {name}"):
            write_predictions(run_dir.predictions(name), results.predictions)
            write_evaluation(run_dir.evaluation(name), evaluate(results.predictions))
        excluded += _excluded_images(name, inputs, results)
    write_excluded(run_dir.excluded, dict.fromkeys(excluded))
    run_dir.update(data={**run_dir.metadata()["data"], "excluded": len(set(excluded))})
    # example cases come from the last split: test, if there is one
    paths = dict(zip(inputs.image_id, inputs.path, strict=True))
    known_masks = {image_id: mask for image_id, mask in masks.items() if mask}
    cases = select_cases(results.predictions)
    with activity(console, "rendering attention maps and the report"):
        write_gallery(loaded, paths, cases, run_dir.path / "attention_maps", masks=known_masks)
        build_report(run_dir.path)


def _run_inference(
    loaded: LoadedModel, inputs: InferenceInputs, split: str, console: Console
) -> InferenceResult:
    with progress_bar(console) as progress:
        task_id = progress.add_task(f"predicting {split}", total=len(inputs.path))
        return run_inference(
            loaded, inputs, on_progress=lambda done, _: progress.update(task_id, completed=done)
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
