"""Variants of a table: as the paper words it, as the authors' code computed it, or both side by side.

A name such as ``patch/table2@authors`` selects one; without a suffix, it is the paper's.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from lesionlens.core.errors import RecipeError
from lesionlens.reproduction.column_spec import ColumnSpec
from lesionlens.reproduction.spec import RowSpec, TableSpec
from lesionlens.runs.authors_code import CodeDifference
from lesionlens.runs.load import code_differences

TableVariant = Literal["paper", "authors", "both"]

VARIANT_TITLES: dict[TableVariant, str] = {
    "paper": "The runs follow the text of the paper, and the authors' code where the text is silent.",
    "authors": "The runs follow the authors' code.",
    "both": "Each row has two sets of runs: as the paper words it, and as the authors' code computed it.",
}
AUTHORS_ROW = "{}, authors' code"


def split_variant(name: str) -> tuple[str, TableVariant]:
    """Return the name of a table without its variant, and the variant.

    Examples
    --------
    >>> split_variant("patch/table2@authors"), split_variant("patch/table2")
    (('patch/table2', 'authors'), ('patch/table2', 'paper'))
    """
    table, _, suffix = name.rpartition("@")
    for variant in get_args(TableVariant):
        if table and suffix == variant:
            return table, variant
    return name, "paper"


def names_of_variants(name: str, spec: TableSpec, variant: TableVariant) -> tuple[list[str], str]:
    """Return the names of the pages that a variant of a table has, and the reason if one is missing.

    ``both`` has a page of each protocol and one with both.
    """
    names = {"paper": [name], "authors": [], "both": [name]}[variant]
    if variant == "paper":
        return names, ""
    if not table_code_differences(name, spec):
        return (
            names,
            f"no code of the authors is known for {name}, so it has no other protocol than that of the text",
        )
    names.append(f"{name}@authors")
    return ([*names, f"{name}@both"] if variant == "both" else names), ""


def table_code_differences(table: str, spec: TableSpec) -> tuple[CodeDifference, ...]:
    """Return the points in which the authors' code differs from the paper, for all rows of a table."""
    by_row = _differences_by_row(table, spec)
    return tuple(dict.fromkeys(point for points in by_row.values() for point in points))


def select_variant(table: str, spec: TableSpec, variant: TableVariant) -> TableSpec:
    """Return the specification of a variant of a table.

    Parameters
    ----------
    table
        Name of the table, without a variant.
    spec
        Its specification, as in the YAML file.

    Raises
    ------
    RecipeError
        No code of the authors is known for this table.
    """
    if variant == "paper":
        return spec
    by_row = _differences_by_row(table, spec)
    if not any(by_row.values()):
        raise RecipeError(
            f"{table}@{variant}: no code of the authors is known for this table; use {table}, the protocol of the text"
        )
    if variant == "authors":
        rows = tuple(row.model_copy(update={"protocol": "authors"}) for row in spec.rows)
        columns = tuple(_code_column(column, by_row) for column in spec.columns)
        return spec.model_copy(update={"rows": rows, "columns": columns})
    rows = tuple(copy for row in spec.rows for copy in _both_rows(row, spec, by_row.get(row.name, [])))
    return spec.model_copy(update={"rows": rows, "claims": (), "figure": None})


def _differences_by_row(table: str, spec: TableSpec) -> dict[str, list[CodeDifference]]:
    return {
        row.name: [
            point
            for recipe in spec.recipes_of(row).values()
            for point in code_differences(f"{table}:{recipe.slug}")
        ]
        for row in spec.rows
        if row.recipe
    }


def _metrics(differences: list[CodeDifference]) -> dict[str, str]:
    return {paper: code for point in differences for paper, code in point.metrics}


def _code_column(column: ColumnSpec, by_row: Mapping[str, list[CodeDifference]]) -> ColumnSpec:
    metrics = _metrics([point for points in by_row.values() for point in points])
    return column.model_copy(update={"metric": metrics.get(column.metric, column.metric)})


def _both_rows(row: RowSpec, spec: TableSpec, differences: list[CodeDifference]) -> list[RowSpec]:
    """Return a row and, if it is trained, the same row of the authors' code."""
    if not row.recipe:
        return [row]
    metrics = _metrics(differences)
    by_column = {column.name: metrics[column.metric] for column in spec.columns if column.metric in metrics}
    code = {
        "name": AUTHORS_ROW.format(row.name),
        "id": row.slug,
        "protocol": "authors",
        "metrics": by_column,
        "note": "",
    }
    return [row, row.model_copy(update=code)]
