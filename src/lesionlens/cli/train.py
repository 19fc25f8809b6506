"""``lesionlens train``."""

from pathlib import Path
from typing import Annotated

import typer


def train_command(
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
    cache: Annotated[
        str | None,
        typer.Option(
            help="How decoded images are kept: memmap, jpeg (a tenth of the room), none, auto. The same as "
            "data.store=…"
        ),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this interrupted run, or group of runs, exactly.")
    ] = None,
) -> None:
    """Train by a recipe, measure, explain, and write the report."""
    if recipe is None and resume is None:
        raise typer.BadParameter("give a recipe, or --resume with a run's folder")
    if resume is not None and (recipe, out, cache) != (None, None, None):
        raise typer.BadParameter(
            "--resume goes on as the run was started: no recipe, no KEY=VALUE, --out or --store"
        )
    from lesionlens.cli.summary import print_run_summary
    from lesionlens.training import run

    words = [*(overrides or []), *([] if cache is None else [f"data.store={cache}"])]
    print_run_summary(run.train(recipe, words, out=out) if recipe is not None else run.resume(Path(str(resume))))
