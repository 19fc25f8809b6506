"""``lesionlens data``."""

from typing import Annotated

import typer

from lesionlens.cli.data_audit import audit_command
from lesionlens.cli.data_generate import inject_artifact_command, generate_command
from lesionlens.cli.data_split import split_command

data_app = typer.Typer(
    help="Look at data sets before training on them.", no_args_is_help=True, rich_markup_mode=None
)


@data_app.command("check")
def validate_command(
    source: Annotated[str, typer.Argument(help="NAME:ROOT, or the path of a table or of a folder.")],
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            metavar="LABEL",
            help="A label of your own table, where not all of its labels are diagnoses that are known; "
            "once for each label, as it is written there: --class wart --class nevus.",
        ),
    ] = None,
    headers_only: Annotated[bool, typer.Option("--headers-only", help="Do not decode every image.")] = False,
) -> None:
    """Read a data set, check it and every image in it, and print what it holds."""
    from rich.console import Console

    from lesionlens.data.datasets import load_table
    from lesionlens.data.summary import summarize_table

    console = Console()
    table = load_table(source, classes=classes, verify_images=not headers_only)
    console.print(summarize_table(table), highlight=False, markup=False, soft_wrap=True)


@data_app.command("list")
def list_datasets_command() -> None:
    """List the layouts that can be read, with licence, citation and source."""
    from rich.console import Console
    from rich.table import Table

    from lesionlens.data.datasets import DATASETS

    table = Table.grid(padding=(0, 2))
    for name, record in DATASETS.items():
        table.add_row(name, record.title, style="bold")
        for kind in ("licence", "citation", "url"):
            if text := getattr(record, kind):
                table.add_row(f"  {kind}", text)
        table.add_row()
    Console().print(table, highlight=False)


data_app.command("audit")(audit_command)
data_app.command("split")(split_command)
data_app.command("synthesise")(generate_command)
data_app.command("plant")(inject_artifact_command)
