"""``lesionlens reproduce``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from lesionlens.reproduction.reproduce import Reproduction
    from lesionlens.reproduction.runner import RunSummary


def reproduce_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|KEY=VALUE]...",
            help="Tables and figures: patch/table2, all of a paper (arl), patterns ('*/fig*'); default: all. With = in "
            "it: a word over every recipe, as for train.",
        ),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="A data set as NAME:ROOT, for example ham10000:/data/ham10000; once for each."),
    ] = None,
    profile: Annotated[
        Literal["paper", "short", "smoke"],
        typer.Option(
            help="paper: the whole protocol. short: small network, few epochs. smoke: a few steps. The last two draw "
            "synthetic images where no data are given."
        ),
    ] = "paper",
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Repeats of each row, with seeds of their own.")
    ] = None,
    rows: Annotated[
        list[str] | None, typer.Option(help="Only these rows: a name or a pattern; once for each.")
    ] = None,
    device: Annotated[Literal["auto", "cpu", "gpu"], typer.Option(help="What computes.")] = "auto",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of runs and pages; several processes may share it.")
    ] = Path("reproduction"),
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run again what failed before.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before starting.")] = False,
    list_only: Annotated[
        bool, typer.Option("--list", help="List tables and figures; with names, only these.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be run, and stop.")] = False,
    write_slurm: Annotated[
        bool, typer.Option("--write-slurm", help="Write a Slurm job array instead of running.")
    ] = False,
    max_tasks: Annotated[int, typer.Option(min=1, help="Of the array, at most.")] = 16,
) -> None:
    """Reproduce tables and figures of the papers: run, go on where it stopped, set beside what was published."""
    overrides = tuple(name for name in names or () if "=" in name)
    patterns = [name for name in names or () if "=" not in name]
    if list_only:
        _print_tables(patterns)
        return
    from rich.console import Console

    from lesionlens.reproduction.plan_summary import print_plan
    from lesionlens.reproduction.planner import ReproductionOptions
    from lesionlens.reproduction.profiles import get_profile
    from lesionlens.reproduction.reproduce import plan_reproduction

    console = Console(stderr=True)
    options = ReproductionOptions(
        get_profile(profile), out, repeats=repeats, rows=tuple(rows or ()), overrides=overrides, device=device
    )
    ready = plan_reproduction(patterns, dataset or [], options, console)
    expected = print_plan(ready, console, retry_failed=retry_failed)
    if dry_run:
        return
    if not write_slurm and expected.runs_left and not yes:
        typer.confirm("Start?", abort=True, err=True)
    if retry_failed:
        ready.clear_failures()
    if write_slurm:
        _write_slurm_script(ready, console, num_tasks=min(max_tasks, max(1, expected.runs_left)))
        return
    _write_pages_and_report(ready, ready.run_jobs(console), console)


def _write_pages_and_report(reproduction: "Reproduction", summary: "RunSummary", console: "Console") -> None:
    """Write the pages and say what is missing; exit with 1 where something failed."""
    from lesionlens.core.errors import RunError
    from lesionlens.datasets.issues import pluralize
    from lesionlens.reproduction.runner import read_failure

    pages = reproduction.write_pages(console)
    console.print("Research use only, not a medical device.", style="italic")
    if summary.failed or pages:
        out = reproduction.options.out
        lines = "\n".join(f"  {key}: {read_failure(out, key)}" for key in (*summary.failed, *pages))
        raise RunError(
            f"{pluralize(len(summary.failed), 'run')} and {pluralize(len(pages), 'page')} failed; "
            f"the others are there. Tracebacks are in {out / 'failures'}; after mending, give the same command with "
            f"--retry-failed:\n{lines}"
        )


def _write_slurm_script(reproduction: "Reproduction", console: "Console", *, num_tasks: int) -> None:
    """Write a job array whose tasks give this very command, but for a retry, which is once for all of them."""
    import sys

    from lesionlens.reproduction.slurm import write_slurm_array

    dropped = {"--write-slurm", "--yes", "-y", "--retry-failed"}
    words = [word for word in sys.argv[1:] if word not in dropped]
    script = write_slurm_array(
        reproduction.options.out,
        [sys.executable, "-m", "lesionlens", *words, "--yes"],
        num_tasks=num_tasks,
        gpu=reproduction.options.device != "cpu",
    )
    console.print(f"{num_tasks} tasks: sbatch {script}", highlight=False, soft_wrap=True)


def _print_tables(patterns: list[str]) -> None:
    """Print names, titles and captions."""
    from rich.console import Console
    from rich.table import Table

    from lesionlens.reproduction.catalog import load_table_spec, match_tables

    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("name", "what", "data", "rows"):
        table.add_column(head, overflow="fold")
    for name in match_tables(patterns):
        found = load_table_spec(name)
        rows = sum(bool(row.recipe) for row in found.rows)
        table.add_row(name, f"{found.title}: {found.caption}", found.dataset, str(rows))
        for row in found.rows if patterns else ():
            recipes = ", ".join(f"{name}:{recipe.slug}" for recipe in found.recipes_of(row).values())
            table.add_row("", f"  {row.name}: {recipes or row.reason_not_run}", "", "")
    console = Console()
    console.width = max(console.width, 120)
    console.print(table, highlight=False)
