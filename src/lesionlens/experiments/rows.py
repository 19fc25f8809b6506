"""Every row of every table of the four papers, and the recipe that trains it."""

from importlib.resources import files
from typing import NamedTuple

import yaml

from lesionlens.errors import RecipeError, unknown

PAPERS = {
    "arl": "Zhang et al. 2019, doi:10.1109/TMI.2019.2893944",
    "attnmel": "Yan 2020, MSc thesis, SFU; Yan et al. 2019, doi:10.1007/978-3-030-20351-1_62",
    "patch": "Gessert et al. 2019, doi:10.1109/TBME.2019.2915839",
    "soft": "Datta et al. 2021, doi:10.1007/978-3-030-87444-5_2",
}
WITHOUT = ("by others: ", "no training: ")


class Row(NamedTuple):
    """One row of a table.

    Attributes
    ----------
    paper
        A key of ``PAPERS``.
    table, row
        As the paper calls them.
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


def rows(paper: str | None = None) -> list[Row]:
    """Give the rows of one paper, or of all, in the papers' order.

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
    text = (files("lesionlens.experiments") / "tables.yaml").read_text(encoding="utf-8")
    return [
        Row(named, table, row, *(("", said) if said.startswith(WITHOUT) else (said, "")))
        for named, tables in yaml.safe_load(text).items()
        if paper in {None, named}
        for table, found in tables.items()
        for row, said in found.items()
    ]
