"""``lesionlens reproduce``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from lesionlens.experiments.reproduce import Reproduction
    from lesionlens.experiments.work import Worked


def reproduce(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|KEY=VALUE]...",
            help="Tables and figures: patch/table2, all of a paper (arl), patterns ('*/fig*'); default: all. With = in "
            "it: a word over every recipe, as for train.",
        ),
    ] = None,
    data: Annotated[
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
    runs: Annotated[
        int | None, typer.Option(min=1, help="Repeats of each row, with seeds of their own.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Only these rows: a name or a pattern; once for each.")
    ] = None,
    device: Annotated[Literal["auto", "cpu", "gpu"], typer.Option(help="What computes.")] = "auto",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of runs and pages; several processes may share it.")
    ] = Path("reproduction"),
    retry: Annotated[bool, typer.Option("--retry", help="Run again what failed before.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before starting.")] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="List tables and figures; with names, only these.")
    ] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be run, and stop.")] = False,
    submit: Annotated[
        Literal["slurm"] | None, typer.Option(help="Write a job array for this engine instead of running.")
    ] = None,
    tasks: Annotated[int, typer.Option(min=1, help="Of the array, at most.")] = 16,
) -> None:
    """Reproduce tables and figures of the papers: run, go on where it stopped, set beside what was published."""
    words = tuple(name for name in names or () if "=" in name)
    asked = [name for name in names or () if "=" not in name]
    if listed:
        _list(asked)
        return
    from rich.console import Console

    from lesionlens.experiments.expected import show
    from lesionlens.experiments.plan import Ask
    from lesionlens.experiments.profile import profile as look_up
    from lesionlens.experiments.reproduce import prepare_reproduction

    console = Console(stderr=True)
    ask = Ask(look_up(profile), out, runs=runs, only=tuple(only or ()), words=words, device=device)
    ready = prepare_reproduction(asked, data or [], ask, console)
    expected = show(ready, console, retry=retry)
    if plan:
        return
    if submit is None and expected.left and not yes:
        typer.confirm("Start?", abort=True, err=True)
    if retry:
        ready.retry()
    if submit is not None:
        _submit(ready, console, tasks=min(tasks, max(1, expected.left)))
        return
    _told(ready, ready.work(console), console)


def _told(ready: "Reproduction", worked: "Worked", console: "Console") -> None:
    """Write the pages and say what is missing; exit with 1 where something failed."""
    from lesionlens.data.problems import counted
    from lesionlens.errors import RunError
    from lesionlens.experiments.work import failure

    pages = ready.write_pages(console)
    console.print("Research use only, not a medical device.", style="italic")
    if worked.failed or pages:
        out = ready.ask.out
        lines = "\n".join(f"  {key}: {failure(out, key)}" for key in (*worked.failed, *pages))
        raise RunError(
            f"{counted(len(worked.failed), 'run')} and {counted(len(pages), 'page')} failed; the others are there. "
            f"Tracebacks are in {out / 'failures'}; after mending, give the same command with --retry:\n{lines}"
        )


def _submit(ready: "Reproduction", console: "Console", *, tasks: int) -> None:
    """Write a job array whose tasks give this very command, but for a retry, which is once for all of them."""
    import sys

    from lesionlens.experiments.slurm import write_array

    dropped = {"--submit", "slurm", "--submit=slurm", "--yes", "-y", "--retry"}
    words = [word for word in sys.argv[1:] if word not in dropped]
    script = write_array(
        ready.ask.out,
        [sys.executable, "-m", "lesionlens", *words, "--yes"],
        tasks=tasks,
        gpu=ready.ask.device != "cpu",
    )
    console.print(f"{tasks} tasks: sbatch {script}", highlight=False, soft_wrap=True)


def _list(asked: list[str]) -> None:
    """Print names, titles and captions."""
    from rich.console import Console
    from rich.table import Table

    from lesionlens.experiments.catalogue import matching, read_experiment

    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("name", "what", "data", "rows"):
        table.add_column(head, overflow="fold")
    for name in matching(asked):
        found = read_experiment(name)
        rows = sum(bool(row.parts) for row in found.rows)
        table.add_row(name, f"{found.title}: {found.caption}", found.data, str(rows))
        for row in found.rows if asked else ():
            recipes = ", ".join(row.parts.values()) or row.without
            table.add_row("", f"  {row.name}: {recipes}", "", "")
    console = Console()
    console.width = max(console.width, 120)
    console.print(table, highlight=False)
