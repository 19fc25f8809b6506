"""``lesionlens models``."""

from typing import Annotated

import typer


def models(
    backbones: Annotated[
        str | None, typer.Option(help="List timm's backbones that match, for example 'mobilenet*'.")
    ] = None,
) -> None:
    """List the networks of the zoo, or the backbones that any mechanism can be put on."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if backbones is not None:
        import timm

        console.print("\n".join(timm.list_models(backbones)) or f"no backbone matches {backbones!r}")
        return
    from lesionlens.models.zoo import ZOO

    table = Table("name", "backbone", "attention", "parameters", "paper", box=None, header_style="bold")
    for name, row in ZOO.items():
        table.add_row(name, row.backbone, row.attention, f"{row.parameters:,}", row.paper)
    console.print(table)
    console.print(
        "Parameters with two classes. Any timm backbone works too: model.backbone=NAME, and model.attention=arl "
        "on its residual networks.",
        style="dim",
    )
