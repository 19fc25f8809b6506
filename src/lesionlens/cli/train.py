"""``lesionlens train``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionlens.cli.listings import complete_recipe
from lesionlens.cli.options import WithinRootOption

if TYPE_CHECKING:
    from lesionlens.runs.multi_run_dir import MultiRunDir


def train_command(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="A built-in recipe (lesionlens recipes lists them) or a YAML file.",
            autocompletion=complete_recipe,
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Override keys of the recipe, for example data=isic2017:/data/isic2017 train.epochs=5.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Run directory to create; default: runs/RECIPE, runs/RECIPE-2 …"),
    ] = None,
    cache: Annotated[
        str | None,
        typer.Option(
            help="Cache for decoded images: memmap, jpeg (a tenth of the size), none or auto. Same as data.cache=…"
        ),
    ] = None,
    within_root: WithinRootOption = False,
    resume: Annotated[
        Path | None, typer.Option(help="Resume this interrupted run, or multi-run, exactly.")
    ] = None,
) -> None:
    """Train a recipe, evaluate and explain the model, and write a report."""
    if recipe is None and resume is None:
        raise typer.BadParameter("Pass a recipe, or --resume with a run directory")
    if resume is not None and (recipe, out, cache, within_root) != (None, None, None, False):
        raise typer.BadParameter(
            "--resume uses the settings of the run. Remove the recipe, KEY=VALUE, --out, --cache and --within-root"
        )
    from lesionlens.training.run import resume as resume_run
    from lesionlens.training.run import train

    all_overrides = [*(overrides or []), *([] if cache is None else [f"data.cache={cache}"])]
    all_overrides += ["data.within_root=true"] if within_root else []
    print_run_summary(
        train(recipe, all_overrides, out=out) if recipe is not None else resume_run(Path(str(resume)))
    )


def print_run_summary(path: Path) -> None:
    """Print the metrics of the test (or else validation) split and the report's path, or a multi-run's summary."""
    from lesionlens.core.console import make_console, print_line
    from lesionlens.evaluation.result import read_evaluation
    from lesionlens.evaluation.tables import evaluation_table
    from lesionlens.runs.multi_run_dir import MultiRunDir
    from lesionlens.runs.run_dir import RunDir

    if MultiRunDir(path).exists():
        _print_group_summary(MultiRunDir(path))
        return
    run_dir = RunDir(path)
    split = "test" if run_dir.evaluation("test").is_file() else "validation"
    console = make_console()
    console.print(f"\n{split} split")
    console.print(evaluation_table(read_evaluation(run_dir.evaluation(split))))
    print_line(console, f"report: {path / 'report.html'}")


def _print_group_summary(group: "MultiRunDir") -> None:
    from lesionlens.core.console import make_console, print_line
    from lesionlens.core.notice import RESEARCH_USE_NOTICE
    from lesionlens.runs.run_statistics import build_summary_table, read_summary

    console, metadata = make_console(), group.metadata()
    console.print(f"\n{metadata['split']} split over {len(metadata['runs_status'])} runs")
    console.print(build_summary_table(read_summary(group.summary_csv)))
    print_line(console, f"all numbers: {group.summary_md}, {group.summary_csv}")
    print_line(console, f"report: {group.report}")
    console.print(RESEARCH_USE_NOTICE, style="italic")
