"""After the last epoch: predictions, numbers, pictures and the report, all from the best bundle."""

from pathlib import Path

from rich.console import Console

from lesionlens.core.console import progress_bar
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
from lesionlens.models.saved_model import load_model
from lesionlens.report.build import build_report
from lesionlens.runs.run_dir import RunDir
from lesionlens.training.build import TRAINING_SPLITS
from lesionlens.training.setup import RunSetup

MISSING_MASK = "no lesion mask, or an empty one: seen whole"


def evaluate_run(setup: RunSetup, run_dir: RunDir, *, console: Console) -> None:
    """Measure the kept model on validation and test, draw its cases, tell what was left out, write the report.

    Raises
    ------
    RunError
        No epoch gave a finite value of the monitored metric.
    """
    if not (run_dir.best_model / "model_card.json").is_file():
        raise RunError(
            f"no epoch had a finite {setup.recipe.train.monitor}: there is no best model. Does the validation "
            "part hold at least two classes? Is train.lr too high?"
        )
    loaded = load_model(run_dir.best_model)
    chosen = setup.recipe.data.mask_dir
    left_out = list(setup.excluded)
    for name in ("validation", "test"):
        if name not in setup.splits.splits:
            continue
        rows = setup.split_table(name)
        wanted = inputs_from_table(rows, setup.task.name, mask_dir=Path(chosen) if chosen else None)
        with progress_bar(console) as progress:
            line = progress.add_task(f"scoring {name}", total=len(wanted.path))
            scored = run_inference(
                loaded,
                wanted,
                on_progress=lambda done, _: progress.update(line, completed=done),  # noqa: B023
            )
        write_predictions(run_dir.predictions(name), scored.predictions)
        write_evaluation(run_dir.evaluation(name), evaluate(scored.predictions))
        left_out += _excluded_images(name, wanted, scored)
    write_excluded(run_dir.excluded, dict.fromkeys(left_out))
    run_dir.update(data={**run_dir.metadata()["data"], "excluded": len(set(left_out))})
    # the last part measured is the one that counts: test, where there is one
    paths = dict(zip(wanted.image_id, wanted.path, strict=True))
    masks = {image: mask for image, mask in zip(wanted.image_id, wanted.mask, strict=True) if mask}
    write_gallery(
        loaded, paths, select_cases(scored.predictions), run_dir.path / "attention_maps", masks=masks
    )
    build_report(run_dir.path)


def _excluded_images(split: str, inputs: InferenceInputs, results: InferenceResult) -> list[ExcludedImage]:
    """Tell which images of a part were not scored and, where training has not told it, which without a mask."""
    missing = [image for image in inputs.image_id if image not in set(results.predictions.image_id)]
    told = [
        ExcludedImage(image, split, reason) for image, reason in zip(missing, results.failures, strict=True)
    ]
    whole = () if split in TRAINING_SPLITS else results.missing_mask_ids
    return told + [ExcludedImage(image, split, MISSING_MASK) for image in whole]
