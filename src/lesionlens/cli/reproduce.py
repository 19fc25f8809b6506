"""``lesionlens reproduce``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lesionlens.core.fileio import check_writable_dir

if TYPE_CHECKING:
    from rich.console import Console

    from lesionlens.reproduction.reproduce import Reproduction
    from lesionlens.reproduction.runner import RunSummary
    from lesionlens.reproduction.table_variants import TableVariant


_ONLY_HERE = ("write_slurm", "max_tasks", "yes", "retry_failed", "dry_run", "list_only")  # not for the tasks


def reproduce_command(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|KEY=VALUE]...",
            help="Tables and figures: patch/table2, all of a paper (arl), or patterns ('*/fig*'); default: all. "
            "KEY=VALUE overrides a key of every recipe, as in train.",
        ),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="Dataset as NAME:ROOT, for example ham10000:/data/ham10000. Repeatable."),
    ] = None,
    profile: Annotated[
        Literal["paper", "short", "smoke"],
        typer.Option(
            help="paper: the full protocol. short: small network, few epochs. smoke: a few steps. short and smoke "
            "generate synthetic images if no dataset is specified."
        ),
    ] = "paper",
    variant: Annotated[
        Literal["paper", "authors", "both"],
        typer.Option(
            help="paper: the protocol in the text. authors: that of the authors' code. both: both, with a page that "
            "has them side by side. A name such as patch/table2@authors has its own."
        ),
    ] = "paper",
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Number of runs per row, with different seeds.")
    ] = None,
    rows: Annotated[
        list[str] | None, typer.Option(help="Only these rows (name or pattern). Repeatable.")
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "gpu"], typer.Option(help="Device for training and inference.")
    ] = "auto",
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="Folder for runs and pages; several processes can work on it together."
        ),
    ] = Path("reproduction"),
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed runs again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start without confirmation.")] = False,
    list_only: Annotated[
        bool, typer.Option("--list", help="List tables and figures, optionally only the named ones.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan without running it.")] = False,
    write_slurm: Annotated[
        bool, typer.Option("--write-slurm", help="Write a Slurm job array instead of running.")
    ] = False,
    max_tasks: Annotated[int, typer.Option(min=1, help="Maximum number of array tasks.")] = 16,
) -> None:
    """Reproduce tables and figures of the papers, resume interrupted runs, and compare with the published values."""
    overrides = tuple(name for name in names or () if "=" in name)
    patterns = [name for name in names or () if "=" not in name]
    if list_only:
        _print_tables(patterns, variant)
        return
    check_writable_dir(out)
    if write_slurm:
        from lesionlens.reproduction.slurm import check_slurm_words

        check_slurm_words(out, _task_command(context))
    from lesionlens.core.console import make_console
    from lesionlens.reproduction.plan_summary import print_plan
    from lesionlens.reproduction.planner import ReproductionOptions
    from lesionlens.reproduction.profiles import get_profile
    from lesionlens.reproduction.reproduce import plan_reproduction

    console = make_console(stderr=True)
    options = ReproductionOptions(
        get_profile(profile), out, repeats=repeats, rows=tuple(rows or ()), overrides=overrides, device=device
    )
    reproduction = plan_reproduction(
        patterns, dataset or [], options, console, variant=variant, dry_run=dry_run
    )
    plan = print_plan(reproduction, console, retry_failed=retry_failed)
    if dry_run:
        return
    if not write_slurm and plan.runs_left and not yes:
        _ask_to_start()
    if retry_failed:
        reproduction.clear_failures()
    if write_slurm:
        num_tasks = min(max_tasks, max(1, plan.runs_left))
        _write_slurm_script(reproduction, console, _task_command(context), num_tasks=num_tasks)
        return
    _write_pages_and_report(reproduction, reproduction.run_jobs(console), console)


def _ask_to_start() -> None:
    """Ask for confirmation; raise an error if there is none."""
    from lesionlens.core.errors import RunError

    try:
        confirmed = typer.confirm("Start?", err=True)
    except typer.Abort:  # no terminal that could answer
        confirmed = False
    if not confirmed:
        raise RunError("not started; confirm with y, or pass --yes to start without a question")


def _write_pages_and_report(reproduction: "Reproduction", summary: "RunSummary", console: "Console") -> None:
    """Write the pages and report failures; raise an error if anything failed."""
    from lesionlens.core.console import print_line
    from lesionlens.core.errors import RunError
    from lesionlens.core.notice import RESEARCH_USE_NOTICE
    from lesionlens.datasets.issues import pluralize
    from lesionlens.reproduction.run_state import read_failure

    pages = reproduction.write_pages(console)
    print_line(console, RESEARCH_USE_NOTICE, style="italic")
    if summary.failed or pages:
        out = reproduction.options.out
        listed = "\n".join(f"  {key}: {read_failure(out, key)}" for key in (*summary.failed, *pages))
        raise RunError(
            f"{pluralize(len(summary.failed), 'run')} and {pluralize(len(pages), 'page')} failed; "
            f"the others succeeded. Tracebacks are in {out / 'failures'}. Fix the cause and run the same command with "
            f"--retry-failed:\n{listed}"
        )


def _task_command(context: typer.Context) -> list[str]:
    """Return the command of each task of a job array: this command, from its parsed options.

    Failures are cleared once, when the script is written, and not by each task.
    """
    import sys

    options, names = [], []
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE" or name in _ONLY_HERE:
            continue
        value = context.params[name]
        values = [str(item) for item in (value if isinstance(value, list | tuple) else [value])]
        if parameter.param_type_name == "argument":
            names += values
        else:  # with an equals sign, a value may start with a dash
            options += [f"{parameter.opts[0]}={text}" for text in values]
    return [sys.executable, "-m", "lesionlens", "reproduce", *options, "--yes", "--", *names]


def _write_slurm_script(
    reproduction: "Reproduction", console: "Console", command: list[str], *, num_tasks: int
) -> None:
    """Write a job array whose tasks run a command."""
    import shlex

    from lesionlens.core.console import print_line
    from lesionlens.reproduction.slurm import write_slurm_array

    out, gpu = reproduction.options.out, reproduction.options.device != "cpu"
    script = write_slurm_array(out, command, num_tasks=num_tasks, gpu=gpu)
    print_line(console, f"{num_tasks} tasks: sbatch {shlex.quote(str(script))}")


def _print_tables(patterns: list[str], variant: "TableVariant") -> None:
    """Print names, titles, captions and, for named tables, their rows with the recipes of a variant."""
    from rich.table import Table

    from lesionlens.core.console import make_console, print_line
    from lesionlens.reproduction.catalog import load_table_variants, match_tables
    from lesionlens.reproduction.table_variants import split_variant

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("name", "title", "dataset", "rows"):
        table.add_column(column, overflow="fold")
    specs, skipped = load_table_variants(match_tables(patterns), variant)
    for name, spec in specs.items():
        rows = sum(bool(row.recipe) for row in spec.rows)
        table.add_row(name, f"{spec.title}: {spec.caption}", spec.dataset, str(rows))
        for row in spec.rows if patterns else ():
            table_name, _ = split_variant(name)
            recipes = ", ".join(
                row.recipe_name(table_name, recipe.slug) for recipe in spec.recipes_of(row).values()
            )
            table.add_row("", f"  {row.name}: {recipes or row.reason_not_run}", "", "")
    console = make_console()
    console.width = max(console.width, 120)
    console.print(table)
    for reason in skipped.values():
        print_line(console, reason)
