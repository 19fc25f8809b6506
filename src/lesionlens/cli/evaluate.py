"""``lesionlens evaluate``."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def evaluate(
    predictions: Annotated[
        Path, typer.Argument(help="predictions.csv, or an official ISIC 2017 or 2018 CSV.")
    ],
    truth: Annotated[
        Path | None,
        typer.Option(help="Labels: a table image,label[,lesion_id], or an ISIC ground truth."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for evaluation.json and figures.")
    ] = None,
    replicates: Annotated[int, typer.Option(min=0, help="Bootstrap resamples of the lesions.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    decision: Annotated[
        Literal["argmax", "half"],
        typer.Option(help="argmax, or half: every score above 0.5, as ISIC scores."),
    ] = "argmax",
) -> None:
    """Measure predictions: every number with its 95 % interval over lesions."""
    from rich.console import Console

    from lesionlens.evaluation.evaluate import evaluate as measure
    from lesionlens.evaluation.predictions import read_predictions
    from lesionlens.evaluation.table import evaluation_table

    found = measure(
        read_predictions(predictions, truth=truth), replicates=replicates, seed=seed, decision=decision
    )
    Console().print(evaluation_table(found))
    if out is not None:
        from lesionlens.evaluation.evaluation import write_evaluation
        from lesionlens.evaluation.figures import write_figures

        write_evaluation(out / "evaluation.json", found)
        write_figures(out, found)
