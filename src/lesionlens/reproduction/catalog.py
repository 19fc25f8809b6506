"""Tables and figures of the papers by name, and the loading of their YAML files."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from lesionlens.core.errors import LesionLensError, RecipeError, unknown_name_message
from lesionlens.reproduction.claim_spec import CLAIM_MODELS
from lesionlens.reproduction.column_spec import ColumnSpec, CorrelationSpec
from lesionlens.reproduction.segmenter_spec import SegmenterSpec
from lesionlens.reproduction.spec import (
    ArtifactSet,
    FigureSpec,
    PanelSpec,
    PaperTestSpec,
    RowSpec,
    TableSpec,
)
from lesionlens.reproduction.table_variants import (
    TableVariant,
    names_of_variants,
    select_variant,
    split_variant,
)
from lesionlens.runs.plain_scalars import core_value
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
    "correlation": CorrelationSpec,
    "rows": RowSpec,
    **CLAIM_MODELS,
    "artifact_sets": ArtifactSet,
    "paper_test": PaperTestSpec,
    "figure": FigureSpec,
    "panels": PanelSpec,
    "segmenter": SegmenterSpec,
}


def list_tables() -> list[str]:
    """List the names of all tables in the papers' order: tables, sections, figures; open questions last.

    Examples
    --------
    >>> [name for name in list_tables() if name.startswith("patch/")][:2]
    ['patch/table1', 'patch/table2']
    """
    return sorted(builtin_tables(), key=_sort_key)


def match_tables(patterns: Sequence[str]) -> list[str]:
    """Return the names of the tables that match patterns, without duplicates.

    Parameters
    ----------
    patterns
        Names, papers, patterns with ``*``, or paths of YAML files; empty: all tables.

    Raises
    ------
    LesionLensError
        A pattern matches nothing.

    Examples
    --------
    >>> match_tables(["zhang/table5", "soft/table[12]"])
    ['arl/table5', 'soft/table1', 'soft/table2']
    """
    if not patterns:
        return list_tables()
    return list(dict.fromkeys(name for pattern in patterns for name in _match_pattern(pattern)))


def load_table_spec(name: str) -> TableSpec:
    """Load a table by name or from a YAML file.

    Parameters
    ----------
    name
        ``PAPER/TABLE``, where PAPER is the key of a paper or its first author, or the path of a YAML file; with
        ``@authors`` or ``@both`` at its end, a variant of it.

    Raises
    ------
    LesionLensError
        The table does not exist, or its file is invalid; the message lists every invalid key.

    Examples
    --------
    >>> load_table_spec("gessert/table2").title
    'Table II'
    """
    name, variant = split_variant(name)
    file = Path(name) if is_yaml_path(name) else builtin_tables()[_resolve_name(name)]
    tree = core_value(read_yaml_mapping(file, f"the table {name}"))
    try:
        spec = TableSpec.model_validate(tree)
    except ValidationError as error:
        lines = "\n".join(f"  {_format_error(problem)}" for problem in error.errors())
        raise LesionLensError(f"{file} is not a valid table:\n{lines}") from error
    if isinstance(spec.segmenter, str):
        spec = spec.model_copy(update={"segmenter": load_table_spec(spec.segmenter).segmenter})
    return select_variant(name if is_yaml_path(name) else _resolve_name(name), spec, variant)


def load_table_variants(
    names: Sequence[str], variant: TableVariant
) -> tuple[dict[str, TableSpec], dict[str, str]]:
    """Return the specification of each page of tables, and the reasons why tables do not have a variant.

    Parameters
    ----------
    names
        Names of tables; the variant of a name, such as ``patch/table2@authors``, takes precedence over ``variant``.
    """
    specs: dict[str, TableSpec] = {}
    skipped: dict[str, str] = {}
    for name in names:
        table, own_variant = split_variant(name)
        pages, reason = names_of_variants(
            table, load_table_spec(table), variant if own_variant == "paper" else own_variant
        )
        specs |= {page: load_table_spec(page) for page in pages}
        if reason:
            skipped[f"{table}@authors"] = reason
    return specs, skipped


def _sort_key(name: str) -> tuple[int, int, list[int], str]:
    paper, _, short = name.partition("/")
    kind = next((prefix for prefix in _NAME_PREFIXES if short.startswith(prefix)), "")
    return (
        [*PAPERS, paper].index(paper),
        _NAME_PREFIXES.index(kind) if kind else len(_NAME_PREFIXES),
        [int(digits) for digits in re.findall(r"\d+", short)],
        short,
    )


def _expand_alias(name: str) -> str:
    """Replace a first author by the key of the paper."""
    paper, slash, short = name.casefold().partition("/")
    return FIRST_AUTHORS.get(paper, paper) + slash + short


def _resolve_name(name: str) -> str:
    if (expanded := _expand_alias(name)) in builtin_tables():
        return expanded
    authors = {paper: author for author, paper in FIRST_AUTHORS.items()}
    known = [
        *builtin_tables(),
        *(f"{authors[paper]}/{short}" for paper, _, short in _partitioned_names() if paper in authors),
    ]
    near = get_close_matches(name.casefold(), known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise LesionLensError(
        f"unknown table {name!r}: {hint}List all with: lesionlens reproduce --list. Or use the path of a .yaml "
        "file"
    )


def _partitioned_names() -> list[tuple[str, str, str]]:
    return [name.partition("/") for name in builtin_tables()]


def _match_pattern(query: str) -> Iterator[str]:
    query, variant = split_variant(query)
    suffix = "" if variant == "paper" else f"@{variant}"
    if is_yaml_path(query):
        yield query + suffix
        return
    expanded, tables = _expand_alias(query), list_tables()
    pattern = f"{expanded}/*" if expanded in {name.partition("/")[0] for name in tables} else expanded
    matches = [name for name in tables if fnmatchcase(name, pattern)]
    yield from (name + suffix for name in matches or [_resolve_name(query)])


def _format_error(error: Any) -> str:
    """Return one line with the invalid key and what is allowed."""
    where = ".".join(
        str(key) for key in error["loc"] if key not in CLAIM_MODELS
    )  # pydantic adds the kind of a claim
    if error["type"] == "extra_forbidden":
        *above, key = error["loc"]
        model = next((_MODELS_BY_KEY[name] for name in reversed(above) if name in _MODELS_BY_KEY), TableSpec)
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

    Figures are not listed: they use the runs of tables.

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
