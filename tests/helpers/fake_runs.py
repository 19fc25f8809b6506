"""Tables with simulated runs: folders as training writes them, with evaluations of simulated scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import write_predictions
from lesionlens.evaluation.result import write_evaluation
from lesionlens.reproduction.planner import RunCell, TableResults
from lesionlens.reproduction.spec import TableSpec
from lesionlens.runs.run_dir import RunDir
from lesionlens.runs.schema import Recipe

CLASSES = ("nevus", "melanoma")


def fake_recipe(seed: int = 0) -> Recipe:
    return Recipe.model_validate(
        {"data": "ham10000:/nowhere", "model": {"backbone": "test_resnet"}, "train": {"seed": seed}}
    )


def fake_predictions(
    skill: float, seed: int, *, n: int = 60, classes: Sequence[str] = CLASSES
) -> Predictions:
    """Simulate scores of ``n`` images with fixed lesions and labels; a higher ``skill`` scores better."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % len(classes)
    logits = rng.normal(0, 1, (n, len(classes)))
    logits[np.arange(n), truth] += skill
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ids = [f"i{index:03d}" for index in range(n)]
    lesions = [f"L{index // 4}-{index % len(classes)}" for index in range(n)]
    return Predictions(np.array(ids), np.array(lesions), np.array(classes)[truth], scores, tuple(classes))


def write_fake_run(
    folder: Path, predictions: Predictions, *, split: str = "test", statement: str = "", n_resamples: int = 60
) -> RunDir:
    """Write the files of a finished run, except its model."""
    run = RunDir(folder)
    if not folder.is_dir():
        write_predictions(run.predictions(split), predictions)
        write_evaluation(run.evaluation(split), evaluate(predictions, n_resamples=n_resamples))
        run.update(
            status="finished", seconds=90.0, device="CPU, 2 cores", versions={"python": "3.12", "torch": "2"},
            data={
                "synthetic_data_notice": statement, "split": "by lesion",
                "splits": {"test": {"images": len(predictions)}},
            },
        )  # fmt: skip
    return run


def fake_results(
    out: Path,
    spec: TableSpec,
    skills: Mapping[tuple[str, str], Sequence[float]],
    *,
    profile: str = "paper",
    states: Mapping[str, str] | None = None,
    folds: bool = False,
    shared: Mapping[str, str] | None = None,
    statement: str = "",
    split: str = "test",
) -> TableResults:
    """Simulate the runs of each (row, variant), one per skill.

    Parameters
    ----------
    states
        States of rows whose runs are not finished.
    shared
        Rows that use the runs of another row.
    """
    cells = []
    for (row, variant), row_skills in skills.items():
        for number, skill in enumerate(row_skills):
            name = f"{(shared or {}).get(row, row)}-{variant}-{number}".replace(" ", "-")
            state = (states or {}).get(row, "finished")
            folder = RunDir(out / "jobs" / name)
            if state == "finished":
                predictions = fake_predictions(skill, seed=len(cells))
                folder = write_fake_run(out / "jobs" / name, predictions, statement=statement, split=split)
            run, fold = (0, number) if folds else (number, None)
            message = "the GPU caught fire" if state == "failed" else ""
            cells.append(RunCell(row, variant, run, fold, fake_recipe(number), folder, state, message))  # type: ignore[arg-type]
    caveats = () if profile == "paper" else ("Four epochs of a small network.",)
    return TableResults("arl/made-up", spec, tuple(cells), profile, {}, caveats, out)


def fake_table_spec(**fields: object) -> TableSpec:
    """Return a table of one column and two rows, with other fields if specified."""
    return TableSpec.model_validate(
        {
            "paper": "arl", "title": "Table III", "caption": "Networks with and without attention",
            "dataset": "isic2017", "source": "Zhang et al. 2019, Table III.",
            "columns": [{"name": "AUC", "metric": "auc", "class": "melanoma"}],
            "rows": [{"name": "A", "recipe": "a"}, {"name": "B", "recipe": "b"}],
            **fields,
        }
    )  # fmt: skip
