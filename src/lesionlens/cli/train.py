"""``lesionlens train``."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(help="A shipped recipe (lesionlens recipes lists them) or a YAML file."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="For example data=isic2017:/data/isic2017 train.epochs=5"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder, not there yet; default runs/RECIPE, -2, -3 …")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this interrupted run, or group of runs, exactly.")
    ] = None,
) -> None:
    """Train by a recipe, measure, explain, and write the report."""
    if recipe is None and resume is None:
        raise typer.BadParameter("give a recipe, or --resume with a run's folder")
    if resume is not None and (recipe is not None or out is not None):
        raise typer.BadParameter("--resume goes on as the run was started: no recipe, no KEY=VALUE, no --out")
    from lesionlens.cli.summary import show_run
    from lesionlens.training import run

    show_run(
        run.train(recipe, overrides or [], out=out) if recipe is not None else run.resume(Path(str(resume)))
    )
