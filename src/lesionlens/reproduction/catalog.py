"""The papers' tables and figures by name, and how one is read from its YAML."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from lesionlens.core.errors import LesionLensError, RecipeError, unknown_name_message
from lesionlens.reproduction.spec import (
    ArtifactSet,
    ColumnSpec,
    FigureSpec,
    OrderingClaim,
    PanelSpec,
    RowSpec,
    TableSpec,
)
from lesionlens.runs.recipe_files import builtin_tables, is_yaml_path, read_yaml_mapping

PAPERS = {
    "arl": "Zhang et al. 2019, doi:10.1109/TMI.2019.2893944",
    "attnmel": "Yan 2020, MSc thesis, SFU; Yan et al. 2019, doi:10.1007/978-3-030-20351-1_62",
    "patch": "Gessert et al. 2019, doi:10.1109/TBME.2019.2915839",
    "soft": "Datta et al. 2021, doi:10.1007/978-3-030-87444-5_2",
}
FIRST_AUTHORS = {"zhang": "arl", "yan": "attnmel", "gessert": "patch", "datta": "soft"}

_NAME_PREFIXES = ("table", "section", "fig")
_MODELS_BY_KEY: dict[str, type[BaseModel]] = {
    "columns": ColumnSpec,
    "rows": RowSpec,
    "claims": OrderingClaim,
    "artifact_sets": ArtifactSet,
    "figure": FigureSpec,
    "panels": PanelSpec,
}


def list_tables() -> list[str]:
    """Give the names of all experiments in the papers' order: tables, sections, figures; open questions last.

    Examples
    --------
    >>> [name for name in list_tables() if name.startswith("patch/")][:2]
    ['patch/table2', 'patch/table3']
    """
    return sorted(builtin_tables(), key=_sort_key)


def match_tables(patterns: Sequence[str]) -> list[str]:
    """Give the experiments that words ask for, each once: names, papers, patterns with ``*``, YAML files; none: all.

    Raises
    ------
    LesionLensError
        A word that asks for nothing.

    Examples
    --------
    >>> match_tables(["zhang/table5", "soft/table[12]"])
    ['arl/table5', 'soft/table1', 'soft/table2']
    """
    found = [name for word in patterns for name in _match_pattern(word)] if patterns else list_tables()
    return list(dict.fromkeys(found))


def load_table_spec(name: str) -> TableSpec:
    """Read an experiment by its name, with the first author's in place of the paper's if liked, or from a YAML file.

    Raises
    ------
    LesionLensError
        There is none of this name, or its file is no experiment: every key that is wrong is named.

    Examples
    --------
    >>> load_table_spec("gessert/table2").title
    'Table II'
    """
    file = Path(name) if is_yaml_path(name) else builtin_tables()[_resolve_name(name)]
    tree = read_yaml_mapping(file, f"the experiment {name}")
    try:
        return TableSpec.model_validate(tree)
    except ValidationError as error:
        lines = "\n".join(f"  {_format_error(problem)}" for problem in error.errors())
        raise LesionLensError(f"{file} is no experiment:\n{lines}") from error


def _sort_key(name: str) -> tuple[int, int, list[int], str]:
    paper, _, short = name.partition("/")
    kind = next((each for each in _NAME_PREFIXES if short.startswith(each)), "")
    return (
        [*PAPERS, paper].index(paper),
        _NAME_PREFIXES.index(kind) if kind else len(_NAME_PREFIXES),
        [int(digits) for digits in re.findall(r"\d+", short)],
        short,
    )


def _expand_alias(name: str) -> str:
    """Put the paper's key in place of its first author."""
    paper, slash, short = name.casefold().partition("/")
    return FIRST_AUTHORS.get(paper, paper) + slash + short


def _resolve_name(name: str) -> str:
    if (spelt := _expand_alias(name)) in builtin_tables():
        return spelt
    authors = {paper: author for author, paper in FIRST_AUTHORS.items()}
    known = [
        *builtin_tables(),
        *(f"{authors[paper]}/{short}" for paper, _, short in _partitioned_names() if paper in authors),
    ]
    near = get_close_matches(name.casefold(), known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise LesionLensError(
        f"unknown experiment {name!r}: {hint}All are listed by: lesionlens reproduce --list. Or give the path of a "
        ".yaml file"
    )


def _partitioned_names() -> list[tuple[str, str, str]]:
    return [name.partition("/") for name in builtin_tables()]


def _match_pattern(query: str) -> Iterator[str]:
    if is_yaml_path(query):
        yield query
        return
    spelt, ours = _expand_alias(query), list_tables()
    pattern = f"{spelt}/*" if spelt in {name.partition("/")[0] for name in ours} else spelt
    found = [name for name in ours if fnmatchcase(name, pattern)]
    yield from found or [_resolve_name(query)]


def _format_error(error: Any) -> str:
    """Say in one line which key is wrong and what is allowed."""
    where = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        *above, key = error["loc"]
        model = next((_MODELS_BY_KEY[each] for each in reversed(above) if each in _MODELS_BY_KEY), TableSpec)
        allowed = [info.alias or name for name, info in model.model_fields.items()]
        return f"{where}: {unknown_name_message('key', str(key), allowed)}"
    if error["type"] == "missing":
        return f"{where} is missing"
    came = "" if isinstance(error["input"], dict) else f" (came: {error['input']!r})"
    return f"{where + ': ' if where else ''}{error['msg'].removeprefix('Value error, ')}{came}"


class RowRecipe(NamedTuple):
    """A training of a row of a table.

    Attributes
    ----------
    paper
        Key of ``PAPERS``.
    table, row
        Titles of the table and the row in the paper; of a row with several trainings, with the variant's title.
    recipe
        Name of the row's recipe, such as ``arl/table5:spatial-melanoma``; "" if it has none.
    reason_not_run
        Reason why it has none.
    """

    paper: str
    table: str
    row: str
    recipe: str
    reason_not_run: str


def list_row_recipes(paper: str | None = None) -> list[RowRecipe]:
    """List the rows of the tables of one paper or of all, in the papers' order.

    Figures are left out: they use the runs of tables.

    Raises
    ------
    RecipeError
        There is no such paper.

    Examples
    --------
    >>> next(row.recipe for row in list_row_recipes("patch") if row.row == "Dense121, Dual Attention")
    'patch/table2:dense121-dual-attention'
    """
    if paper is not None and paper not in PAPERS:
        raise RecipeError(unknown_name_message("paper", paper, PAPERS))
    papers = [paper] if paper else list(PAPERS)
    tables = {name: load_table_spec(name) for name in list_tables() if name.partition("/")[0] in papers}
    return [
        RowRecipe(table.paper, table.title, *cells)
        for name, table in tables.items()
        if table.figure is None
        for row in table.rows
        for cells in _listed_trainings(name, table, row)
    ]


def _listed_trainings(name: str, table: TableSpec, row: RowSpec) -> Iterator[tuple[str, str, str]]:
    """Yield title, recipe and reason without recipe of each training of a row."""
    for variant, recipe in table.recipes_of(row).items():
        title = f"{row.name}, {table.variants[variant].title}" if variant else row.name
        yield title, f"{name}:{recipe.slug}", ""
    if row.reason_not_run:
        yield row.name, "", row.reason_not_run
