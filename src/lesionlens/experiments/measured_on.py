"""A run's model on a generated copy of its test images: scored and measured once, kept in the run's folder."""

from pathlib import Path

from lesionlens.atomic import write_text
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.evaluation import write_evaluation
from lesionlens.evaluation.predictions import write_predictions
from lesionlens.experiments.results import Cell
from lesionlens.experiments.tested import tested_table
from lesionlens.models.bundle import load_model
from lesionlens.scoring.score import score
from lesionlens.subjects import of_table


def measured_on(cell: Cell, name: str, source: str) -> Path:
    """Give the folder ``on/NAME`` of a run, with ``predictions.csv`` and ``evaluation.json`` on a set.

    Scored are the images of the set that are in the run's own test part. Another source of the same name is scored
    anew.

    Raises
    ------
    LesionLensError
        The set or the model cannot be read.
    """
    folder = cell.folder.path / "on" / name
    done = folder / "source.txt"  # written last: what lies beside it is whole
    if done.is_file() and done.read_text(encoding="utf-8") == source:
        return folder
    done.unlink(missing_ok=True)
    said = cell.recipe.data
    wanted = of_table(tested_table(cell, source), said.task, masks=Path(said.masks) if said.masks else None)
    scored = score(load_model(cell.folder.best, device=cell.recipe.train.device), wanted)
    write_predictions(folder / "predictions.csv", scored.predictions)
    write_evaluation(folder / "evaluation.json", evaluate(scored.predictions))
    write_text(done, source)
    return folder
