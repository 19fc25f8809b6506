"""Runs without training: the files that training writes, with made-up predictions."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
from rich.console import Console

from lesionlens.core.errors import RunError
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import write_predictions
from lesionlens.evaluation.result import write_evaluation
from lesionlens.runs.run_dir import RunDir, create_run_dir, write_recipe
from lesionlens.runs.schema import Recipe
from lesionlens.training.multi_run import RunFns, run_all

from .random_predictions import random_predictions

QUIET = Console(quiet=True)
TWO = ("other", "melanoma")
FOLDS = {"n_folds": 3, "data": {"source": "ham10000:x", "split": "group_kfold"}}
REPEATS = {"num_repeats": 3, "data": {"source": "ham10000:x", "split": "group_holdout"}}


def run_recipe(**keys: object) -> Recipe:
    return Recipe.model_validate(
        {"data": {"source": "ham10000:x"}, "model": "resnet14", "train": {"seed": 7}, **keys}
    )


def write_tested_run(
    folder: Path,
    predictions: Predictions | None,
    *,
    recipe: Recipe | None = None,
    split: str = "test",
    status: str = "finished",
    caveats: tuple[str, ...] = (),
    n_resamples: int = 0,
) -> RunDir:
    """Write a run directory; without predictions it has only those of another split."""
    splits = {split: {}} if predictions is not None else {"validation": {}}

    def write(run_dir: RunDir) -> None:
        write_recipe(run_dir, recipe or run_recipe())
        records = [{"text": text, "kind": "protocol"} for text in caveats]
        run_dir.start(status="running", seconds=0.0, data={"splits": splits, "caveats": records})

    run_dir = create_run_dir(folder.name, out=folder, write=write)
    if predictions is not None:
        write_predictions(run_dir.predictions(split), predictions)
        write_evaluation(run_dir.evaluation(split), evaluate(predictions, n_resamples=n_resamples))
    run_dir.update(status=status)
    return run_dir


def write_run_group(
    folder: Path,
    predict: Callable[[Recipe], Predictions],
    keys: Mapping[str, object],
    *,
    failing: tuple[str, ...] = (),
    with_report: bool = False,
    n_resamples: int = 0,
    **options: object,
) -> Path:
    """Write a directory of several runs by the function that trains them, with fake training.

    Parameters
    ----------
    predict
        Function that returns the predictions of a run from its recipe.
    keys
        Keys of the recipe.
    failing
        Names of runs that fail.
    with_report
        Whether to write the report of the group.
    n_resamples
        Number of bootstrap resamples for each run, and for pooled folds.
    options
        Options of `write_tested_run`.
    """

    def start(recipe: Recipe, *, out: Path, console: Console, command: str | None) -> Path:
        if out.name in failing:
            raise RunError("the GPU caught fire")
        predictions = predict(recipe)
        return write_tested_run(out, predictions, recipe=recipe, n_resamples=n_resamples, **options).path

    def resume(path: Path, *, console: Console) -> Path:
        raise NotImplementedError

    table = SimpleNamespace(table=SimpleNamespace(fingerprint=lambda: "one"))
    with ExitStack() as stack:
        stack.enter_context(patch("lesionlens.training.multi_run.set_up_run", lambda _: table))
        evaluate_pool = partial(evaluate, n_resamples=n_resamples)
        stack.enter_context(patch("lesionlens.runs.group_evaluation.evaluate", evaluate_pool))
        if not with_report:  # its figures take most of the time
            stack.enter_context(patch("lesionlens.training.group_report.build_group_report"))
        try:
            run_all(
                run_recipe(**keys),
                folder.name,
                out=folder,
                runs_dir=folder.parent,
                console=QUIET,
                run_fns=RunFns(start, resume),
            )
        except RunError:
            if not failing:
                raise
    return folder


def predict_fold(recipe: Recipe, *, skill: float = 0.5, **options: object) -> Predictions:
    """Return the predictions of one of three folds by lesion, by a model that depends on seed and fold."""
    all_images = random_predictions(150, **{"classes": TWO, **options})
    noise = np.random.default_rng([recipe.train.seed, recipe.fold or 0]).random(len(all_images))
    first = skill * all_images.scores[:, 0] + (1 - skill) * noise
    scores = np.column_stack([first, 1 - first]) if len(all_images.classes) == 2 else all_images.scores
    lesion = np.unique(all_images.lesion_id, return_inverse=True)[1]
    return Predictions(
        all_images.image_id, all_images.lesion_id, all_images.label, scores, all_images.classes
    ).select(lesion % 3 == recipe.fold if recipe.fold is not None else lesion % 3 == 0)
