"""Every row of every table of the four papers, and the recipe that trains it."""

from collections.abc import Iterator
from typing import NamedTuple

from lesionlens.errors import RecipeError, unknown
from lesionlens.experiments.catalogue import PAPERS, names, read_experiment
from lesionlens.experiments.row import Row

PARTS = {"M": "melanoma", "SK": "seborrheic keratosis"}  # of Zhang et al. 2019


class Listed(NamedTuple):
    """One training of one row of a table.

    Attributes
    ----------
    paper
        A key of ``PAPERS``.
    table, row
        As the paper calls them; of a row that is two trainings, with the part.
    recipe
        Name of a shipped recipe; "" where the row has none.
    reason
        Why it has none.
    """

    paper: str
    table: str
    row: str
    recipe: str
    reason: str


def rows(paper: str | None = None) -> list[Listed]:
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
        raise RecipeError(unknown("paper", paper, PAPERS))
    papers = [paper] if paper else list(PAPERS)
    tables = [read_experiment(name) for name in names() if name.partition("/")[0] in papers]
    return [
        Listed(table.paper, table.title, *trained)
        for table in tables
        if table.figure is None
        for row in table.rows
        for trained in _trainings(row)
    ]


def _trainings(row: Row) -> Iterator[tuple[str, str, str]]:
    for part, recipe in row.parts.items():
        yield f"{row.name}, {PARTS.get(part, part)}" if part else row.name, recipe, ""
    if row.without:
        yield row.name, "", row.without
