"""``lesionlens models``."""

from typing import Annotated

import typer

MODELS_FOOTNOTE = """
Parameters with two classes; GFLOPs for one image with all its crops, a multiplication and an addition counted as two.
Train one with: lesionlens train RECIPE model.name=NAME data=NAME:ROOT
Any timm backbone works too: model.backbone=BACKBONE with model.attention= none, pyramid, gate, soft, patch, patch
around another (patch+gate), and on residual networks arl and ran."""
MODELS_MIN_WIDTH = 136  # columns that a line needs; a narrower terminal breaks lines rather than lose what they say


def models_command(
    pattern: Annotated[str, typer.Argument(help="Only names that match, for example 'patch_*'.")] = "*",
    backbones: Annotated[
        str | None, typer.Option(help="List timm's backbones that match instead, for example 'mobilenet*'.")
    ] = None,
) -> None:
    """List the networks of the zoo, or the backbones that any mechanism can be put on."""
    from fnmatch import fnmatch

    from rich.console import Console
    from rich.table import Table

    console = Console()
    if backbones is not None:
        import timm

        console.print("\n".join(timm.list_models(backbones)) or f"no backbone matches {backbones!r}")
        return
    from lesionlens.errors import ModelError, unknown_name_message
    from lesionlens.models.zoo import ZOO
    from lesionlens.models.zoo.listing import COMPACT_COLUMNS, zoo_rows

    names = [name for name in ZOO if fnmatch(name, pattern)]
    if not names:
        raise ModelError(unknown_name_message("model", pattern, ZOO))
    console.width = max(console.width, MODELS_MIN_WIDTH)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in COMPACT_COLUMNS:
        table.add_column(
            column, no_wrap=True, justify="right" if column in {"parameters", "GFLOPs"} else "left"
        )
    for line in zoo_rows(names, COMPACT_COLUMNS):
        table.add_row(*line)
    console.print(table)
    papers = sorted({f"  {ZOO[name].paper}" for name in names})
    console.print(
        "\n".join([f"\n{len(names)} networks, described in", *papers, MODELS_FOOTNOTE]), style="dim", highlight=False
    )
