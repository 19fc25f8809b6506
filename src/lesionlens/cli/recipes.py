"""``lesionlens recipes``."""

from typing import Annotated

import typer

RECIPES_FOOTNOTE = """
Show one in full: lesionlens recipes RECIPE. Train it: lesionlens train RECIPE data=NAME:ROOT
Beside them: demo, plain, and the recipes that those of a paper start from: """
RECIPES_MIN_WIDTH = 120  # columns that a line needs; a narrower terminal breaks lines rather than lose what they say


def recipes_command(
    name: Annotated[
        str | None, typer.Argument(help="Show this recipe (or YAML file) with every key spelt out.")
    ] = None,
    paper: Annotated[
        str | None, typer.Option(help="Only of this paper: arl, attnmel, patch or soft.")
    ] = None,
) -> None:
    """List the recipe of every row of the papers' tables, or show one in full."""
    if name is not None and paper is not None:
        raise typer.BadParameter("give a recipe to show it, or --paper to list its recipes")
    if name is None:
        _print_recipes(paper)
        return
    from lesionlens.training.folder import to_yaml
    from lesionlens.training.network import resolve_model
    from lesionlens.training.read_recipe import load_recipe

    typer.echo(to_yaml(resolve_model(load_recipe(name)).recipe), nl=False)


def _print_recipes(paper: str | None) -> None:
    from rich.console import Console
    from rich.table import Table

    from lesionlens.experiments.catalogue import PAPERS
    from lesionlens.experiments.rows import list_row_recipes
    from lesionlens.training.recipe_file import builtin_recipes

    console = Console()
    console.width = max(console.width, RECIPES_MIN_WIDTH)
    found = list_row_recipes(paper)
    for named in dict.fromkeys(row.paper for row in found):
        table = Table(
            box=None, header_style="bold", pad_edge=False, title_justify="left", title=PAPERS[named]
        )
        for column in ("table", "row", "recipe"):
            table.add_column(column, overflow="fold")
        for row in found:
            if row.paper == named:
                table.add_row(row.table, row.row, row.recipe or f"– {row.reason_not_run}")
        console.print(table, highlight=False)
        console.print()
    families = [name for name in builtin_recipes() if name.count("/") == 1 and paper in {None, name.split("/")[0]}]
    console.print(RECIPES_FOOTNOTE.lstrip() + ", ".join(sorted(families)), style="dim", highlight=False)
