"""``lesionlens models`` and ``lesionlens recipes``."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lesionlens.cli.listings import complete_network, complete_recipe, read_listings

if TYPE_CHECKING:
    from rich.console import Console

MODELS_FOOTNOTE = """
Parameters are for two classes. GFLOPs are per image with all crops; a multiplication and an addition count as two.
Train one with: lesionlens train RECIPE model.name=NAME data=NAME:ROOT
Any timm backbone works too: model.backbone=BACKBONE with model.attention=none, multi-stage, gate, soft, patch,
a combination such as patch+gate, and for residual networks arl and ran."""
MODELS_MIN_WIDTH = 136  # columns of the table; on a narrower terminal, lines wrap instead of losing cells


def models_command(
    pattern: Annotated[
        str,
        typer.Argument(help="Only names that match, for example 'patch_*'.", autocompletion=complete_network),
    ] = "*",
    backbones: Annotated[
        str | None, typer.Option(help="List timm's backbones that match instead, for example 'mobilenet*'.")
    ] = None,
) -> None:
    """List the networks of the zoo, or timm backbones for the attention mechanisms."""
    from fnmatch import fnmatch

    from rich.table import Table

    from lesionlens.core.console import make_console

    console = make_console()
    if backbones is not None:
        _print_backbones(backbones, console)
        return
    listings = read_listings()
    networks = [item for item in listings["networks"] if fnmatch(item["cells"][0], pattern)]
    if not networks:
        from lesionlens.core.errors import ModelError

        raise ModelError(_no_network_message(pattern))
    console.width = max(console.width, MODELS_MIN_WIDTH)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in listings["network_columns"]:
        table.add_column(
            column, no_wrap=True, justify="right" if column in {"parameters", "GFLOPs"} else "left"
        )
    for item in networks:
        table.add_row(*item["cells"])
    console.print(table)
    papers = sorted({f"  {item['paper']}" for item in networks})
    console.print(
        "\n".join([f"\n{len(networks)} networks, described in", *papers, MODELS_FOOTNOTE]),
        style="dim",
        highlight=False,
    )


def _print_backbones(pattern: str, console: "Console") -> None:
    from lesionlens.core.errors import ModelError
    from lesionlens.models.backbone import list_backbones, similar_backbones

    names = list_backbones(pattern)
    if not names:
        similar = ", ".join(similar_backbones(pattern.strip("*")))
        hint = f"; similar names: {similar}" if similar else ""
        raise ModelError(f"no backbone of timm matches {pattern!r}{hint}")
    console.print("\n".join(names), soft_wrap=True)


def _no_network_message(pattern: str) -> str:
    """Return a message for a pattern of no network in the zoo, with the timm backbones that match it."""
    from shlex import quote

    from lesionlens.core.errors import unknown_name_message
    from lesionlens.models.backbone import list_backbones, similar_backbones
    from lesionlens.models.zoo import ZOO

    if backbones := list_backbones(pattern):
        return (
            f"no network of the zoo matches {pattern!r}, but {len(backbones):,} backbones do, such as {backbones[0]}: "
            f"lesionlens models --backbones {quote(pattern)}"
        )
    similar = ", ".join(similar_backbones(pattern.strip("*")))
    hint = f". Similar backbones of timm, for model.backbone: {similar}" if similar else ""
    if inside := [name for name in ZOO if pattern in name]:
        command = f"lesionlens models {quote(f'*{pattern}*')}"
        return f"no network has the name {pattern!r}, but {len(inside)} contain it: {command}"
    return unknown_name_message("model", pattern, ZOO) + hint


RECIPES_FOOTNOTE = """
Show one with all keys: lesionlens recipes RECIPE. Train it: lesionlens train RECIPE data=NAME:ROOT
Other recipes: demo, plain, and the base recipes of the papers: """
RECIPES_MIN_WIDTH = 120  # columns of the table; on a narrower terminal, lines wrap instead of losing cells


def recipes_command(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Show this recipe (or YAML file) with all its keys.", autocompletion=complete_recipe
        ),
    ] = None,
    paper: Annotated[
        str | None, typer.Option(help="List only recipes of this paper: arl, attnmel, patch or soft.")
    ] = None,
    keys: Annotated[
        bool,
        typer.Option("--keys", help="List all keys of recipes with their values, defaults and descriptions."),
    ] = False,
) -> None:
    """List the recipe of every row of the papers' tables, show one in full, or list all keys of recipes."""
    if keys:
        _print_recipe_keys()
        return
    if name is not None and paper is not None:
        raise typer.BadParameter("Pass either a recipe to show, or --paper to list recipes")
    if name is None:
        _print_recipes(paper)
        return
    from lesionlens.runs.load import load_recipe
    from lesionlens.runs.run_dir import to_yaml
    from lesionlens.training.resolve import resolve

    sys.stdout.write(to_yaml(resolve(load_recipe(name)).recipe))


def _print_recipe_keys() -> None:
    from shutil import get_terminal_size

    from lesionlens.runs.keys import recipe_keys_text

    sys.stdout.write(recipe_keys_text(get_terminal_size().columns) + "\n")


def _print_recipes(paper: str | None) -> None:
    from rich.table import Table

    from lesionlens.core.console import make_console
    from lesionlens.core.errors import RecipeError, unknown_name_message

    listings = read_listings()
    if paper is not None and paper not in listings["papers"]:
        raise RecipeError(unknown_name_message("paper", paper, listings["papers"]))
    console = make_console()
    console.width = max(console.width, RECIPES_MIN_WIDTH)
    for key in listings["papers"] if paper is None else [paper]:
        title = listings["papers"][key]
        table = Table(box=None, header_style="bold", pad_edge=False, title_justify="left", title=title)
        for column in ("table", "row", "recipe"):
            table.add_column(column, overflow="fold")
        for row in listings["row_recipes"]:
            if row["paper"] == key:
                table.add_row(row["table"], row["row"], row["recipe"] or f"– {row['reason_not_run']}")
        console.print(table, highlight=False)
        console.print()
    families = [name for name in listings["base_recipes"] if paper in {None, name.split("/")[0]}]
    console.print(RECIPES_FOOTNOTE.lstrip() + ", ".join(families), style="dim", highlight=False)
