"""``lesionlens evaluate``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lesionlens.cli import question_options as question
from lesionlens.errors import PredictionsError

if TYPE_CHECKING:
    from lesionlens.evaluation.decision import Decision
    from lesionlens.evaluation.prediction_table import Predictions


def evaluate(
    predictions: Annotated[
        list[Path],
        typer.Argument(
            help="predictions.csv, or an official ISIC 2017 or 2018 CSV; several of one diagnosis against the rest are "
            "joined."
        ),
    ],
    truth: question.Truth = None,
    task: question.Task = "all",
    rest: question.Rest = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for evaluation.json and figures.")
    ] = None,
    replicates: Annotated[int, typer.Option(min=0, help="Bootstrap resamples of the lesions.")] = 1000,
    seed: question.Seed = 0,
    decision: question.Decision = "argmax",
    threshold: Annotated[
        str | None,
        typer.Option(
            help="Instead of a decision: a score such as 0.3, or youden or sensitivity:0.89, chosen by --choose-on."
        ),
    ] = None,
    choose_on: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled predictions of the validation part; as many files as are measured."),
    ] = None,
    submission: Annotated[
        Path | None, typer.Option(help="Write the predictions as ISIC 2017 takes them, joined ones too.")
    ] = None,
) -> None:
    """Measure predictions: every number with its 95 % interval over lesions."""
    from rich.console import Console

    from lesionlens.evaluation.evaluate import evaluate as measure
    from lesionlens.evaluation.predictions import read_predictions
    from lesionlens.evaluation.table import evaluation_table

    read = read_predictions(*predictions, truth=truth, rest=rest)
    choosing = read_predictions(*choose_on, rest=rest) if choose_on else None
    how = _decision(decision, threshold, read, choosing, task=task, on=", ".join(map(str, choose_on or ())))
    found = measure(read, replicates=replicates, seed=seed, decision=how, task=task)
    Console().print(evaluation_table(found))
    if submission is not None:
        from lesionlens.evaluation.formats import write_isic2017

        write_isic2017(submission, read)
    if out is not None:
        from lesionlens.evaluation.evaluation import write_evaluation
        from lesionlens.evaluation.figures import write_figures

        write_evaluation(out / "evaluation.json", found)
        write_figures(out, found)


def _decision(
    decision: Literal["argmax", "half"],
    threshold: str | None,
    measured: "Predictions",
    choosing: "Predictions | None",
    *,
    task: str,
    on: str,
) -> "Decision":
    """Turn the words of the command line into a decision."""
    from lesionlens.evaluation.reduced import reduced
    from lesionlens.evaluation.thresholds import chosen, given, number

    if threshold is None:
        if choosing is not None:
            raise PredictionsError("--choose-on is for --threshold youden or --threshold sensitivity:0.89")
        return decision
    if decision != "argmax":
        raise PredictionsError(f"--decision {decision} and --threshold {threshold} exclude each other")
    fixed = number(threshold)
    if fixed is None and choosing is not None:
        return chosen(threshold, reduced(choosing, task).predictions, on=on)
    if fixed is not None and choosing is None:
        return given(fixed, reduced(measured, task).predictions)
    raise PredictionsError(
        f"--threshold {threshold} is chosen by other images than those measured: give the predictions of the "
        "validation part, --choose-on FILE"
        if choosing is None
        else f"--threshold {threshold} is a number, so --choose-on has nothing to choose: leave it out"
    )
