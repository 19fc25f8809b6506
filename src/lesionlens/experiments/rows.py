"""Every row of every table of the four papers, and the recipe that trains it."""

from collections.abc import Iterator
from typing import NamedTuple

from lesionlens.errors import RecipeError, unknown_name_message
from lesionlens.experiments.catalogue import PAPERS, list_tables, load_table_spec
from lesionlens.experiments.row import RowSpec

VARIANT_TITLES = {"M": "melanoma", "SK": "seborrheic keratosis"}  # of Zhang et al. 2019


class RowRecipe(NamedTuple):
    """One training of one row of a table.

    Attributes
    ----------
    paper
        A key of ``PAPERS``.
    table, row
        As the paper calls them; of a row that is two trainings, with the part.
    recipe
        Name of a shipped recipe; "" where the row has none.
    reason_not_run
        Why it has none.
    """

    paper: str
    table: str
    row: str
    recipe: str
    reason_not_run: str


def list_row_recipes(paper: str | None = None) -> list[RowRecipe]:
    """Give the rows of one paper's tables, or of all, in the papers' order; figures take the tables' runs.

    Raises
    ------
    RecipeError
        There is no such paper.

    Examples
    --------
    >>> next(row.recipe for row in rows("patch") if row.row == "Dense121, Dual Attention")
    'patch/table2/densenet121-dual'
    """
    if paper is not None and paper not in PAPERS:
        raise RecipeError(unknown_name_message("paper", paper, PAPERS))
    papers = [paper] if paper else list(PAPERS)
    tables = [load_table_spec(name) for name in list_tables() if name.partition("/")[0] in papers]
    return [
        RowRecipe(table.paper, table.title, *trained)
        for table in tables
        if table.figure is None
        for row in table.rows
        for trained in _variants_of_row(row)
    ]


def _variants_of_row(row: RowSpec) -> Iterator[tuple[str, str, str]]:
    for part, recipe in row.variants.items():
        yield f"{row.name}, {VARIANT_TITLES.get(part, part)}" if part else row.name, recipe, ""
    if row.reason_not_run:
        yield row.name, "", row.reason_not_run
