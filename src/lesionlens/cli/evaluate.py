"""``lesionlens evaluate``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lesionlens.cli import options as question
from lesionlens.core.errors import PredictionsError

if TYPE_CHECKING:
    from lesionlens.evaluation.predictions import Predictions
    from lesionlens.evaluation.thresholds import DecisionRule


def evaluate_command(
    predictions: Annotated[
        list[Path],
        typer.Argument(
            help="predictions.csv, or an official ISIC 2017 or 2018 CSV; several of one diagnosis against the rest are "
            "joined."
        ),
    ],
    labels: question.LabelsOption = None,
    task: question.TaskOption = "all",
    other_class: question.OtherClassOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for evaluation.json and figures.")
    ] = None,
    bootstrap_samples: Annotated[int, typer.Option(min=0, help="Bootstrap resamples of the lesions.")] = 1000,
    seed: question.BootstrapSeedOption = 0,
    decision: question.DecisionOption = "argmax",
    threshold: Annotated[
        str | None,
        typer.Option(
            help="Instead of a decision: a score such as 0.3, or youden or sensitivity:0.89, chosen by "
            "--tune-threshold-on."
        ),
    ] = None,
    tune_threshold_on: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled predictions of the validation part; as many files as are measured."),
    ] = None,
    isic_submission: Annotated[
        Path | None, typer.Option(help="Write the predictions as ISIC 2017 takes them, joined ones too.")
    ] = None,
) -> None:
    """Measure predictions: every number with its 95 % interval over lesions."""
    from rich.console import Console

    from lesionlens.evaluation.evaluate import evaluate as measure
    from lesionlens.evaluation.predictions_io import read_predictions
    from lesionlens.evaluation.tables import evaluation_table

    read = read_predictions(*predictions, ground_truth=labels, other_class=other_class)
    choosing = read_predictions(*tune_threshold_on, other_class=other_class) if tune_threshold_on else None
    how = _resolve_decision(
        decision, threshold, read, choosing, task=task, tuned_on=", ".join(map(str, tune_threshold_on or ()))
    )
    found = measure(read, n_resamples=bootstrap_samples, seed=seed, decision=how, task=task)
    Console().print(evaluation_table(found))
    if isic_submission is not None:
        from lesionlens.evaluation.isic_formats import write_isic2017

        write_isic2017(isic_submission, read)
    if out is not None:
        from lesionlens.evaluation.plots import write_figures
        from lesionlens.evaluation.result import write_evaluation

        write_evaluation(out / "evaluation.json", found)
        write_figures(out, found)


def _resolve_decision(
    decision: Literal["argmax", "isic"],
    threshold: str | None,
    predictions: "Predictions",
    tuning_predictions: "Predictions | None",
    *,
    task: str,
    tuned_on: str,
) -> "DecisionRule":
    """Turn the words of the command line into a decision."""
    from lesionlens.evaluation.binarize import to_binary_task
    from lesionlens.evaluation.thresholds import constant_thresholds, parse_float, tune_thresholds

    if threshold is None:
        if tuning_predictions is not None:
            raise PredictionsError(
                "--tune-threshold-on is for --threshold youden or --threshold sensitivity:0.89"
            )
        return decision
    if decision != "argmax":
        raise PredictionsError(f"--decision {decision} and --threshold {threshold} exclude each other")
    fixed = parse_float(threshold)
    if fixed is None and tuning_predictions is not None:
        return tune_thresholds(
            threshold, to_binary_task(tuning_predictions, task).predictions, source_name=tuned_on
        )
    if fixed is not None and tuning_predictions is None:
        return constant_thresholds(fixed, to_binary_task(predictions, task).predictions)
    raise PredictionsError(
        f"--threshold {threshold} is chosen by other images than those measured: give the predictions of the "
        "validation part, --tune-threshold-on FILE"
        if tuning_predictions is None
        else f"--threshold {threshold} is a number, so --tune-threshold-on has nothing to choose: leave it out"
    )
