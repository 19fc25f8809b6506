"""A run's model on a generated copy of its test images: scored and measured once, kept in the run's folder."""

from pathlib import Path

from lesionlens.atomic import write_text
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.evaluation import write_evaluation
from lesionlens.evaluation.predictions import write_predictions
from lesionlens.experiments.results import RunCell
from lesionlens.experiments.tested import evaluation_subset
from lesionlens.models.bundle import load_model
from lesionlens.scoring.score import run_inference
from lesionlens.subjects import inputs_from_table


def evaluate_on(cell: RunCell, name: str, source: str) -> Path:
    """Give the folder ``on/NAME`` of a run, with ``predictions.csv`` and ``evaluation.json`` on a set.

    Scored are the images of the set that are in the run's own test part. Another source of the same name is scored
    anew.

    Raises
    ------
    LesionLensError
        The set or the model cannot be read.
    """
    folder = cell.run_dir.path / "on" / name
    done = folder / "source.txt"  # written last: what lies beside it is whole
    if done.is_file() and done.read_text(encoding="utf-8") == source:
        return folder
    done.unlink(missing_ok=True)
    said = cell.recipe.data
    wanted = inputs_from_table(evaluation_subset(cell, source), said.task, mask_dir=Path(said.mask_dir) if said.mask_dir else None)
    scored = run_inference(load_model(cell.run_dir.best_model, device=cell.recipe.train.device), wanted)
    write_predictions(folder / "predictions.csv", scored.predictions)
    write_evaluation(folder / "evaluation.json", evaluate(scored.predictions))
    write_text(done, source)
    return folder
