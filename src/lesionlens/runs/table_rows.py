"""Recipes of table rows: a base recipe and ``key=value`` overrides, named ``TABLE:ROW``.

Only the keys of a table that define trainings are read here; `lesionlens.reproduction.spec` reads all of them.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, ValidationError

from lesionlens.core.errors import RecipeError
from lesionlens.runs.plain_scalars import core_value
from lesionlens.runs.recipe_files import builtin_tables, is_yaml_path, read_yaml_mapping
from lesionlens.runs.train_schema import ConfigSection


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


StrTuple = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]  # a list of one may be given as the string


class RowVariant(ConfigSection):
    """One of several trainings of every row of a table, such as one per task.

    Attributes
    ----------
    title
        Name in listings; in lowercase with hyphens, the last part of the recipe's name.
    overrides
        ``section.key=value`` settings, applied before those of the row.
    """

    title: str
    overrides: StrTuple = ()


class TableRow(ConfigSection):
    """The training of a table row.

    Attributes
    ----------
    name
        Name of the row in the paper.
    id
        Name of the row's recipe within the table; default: ``name`` in lowercase with hyphens.
    recipe
        Recipe that the row extends: a base recipe or a row of another table; "": the row is not trained.
    overrides
        ``section.key=value`` settings on top of ``recipe``.
    """

    name: str
    id: str = ""
    recipe: str = ""
    overrides: StrTuple = ()

    @property
    def slug(self) -> str:
        """Name of the row's recipe within the table, without the variant."""
        return self.id or slugify(self.name)


class DerivedRecipe(NamedTuple):
    """A recipe and the settings on top of it.

    Attributes
    ----------
    slug
        Name within the table.
    base
        Name of the recipe that is extended.
    overrides
        ``section.key=value`` settings.
    """

    slug: str
    base: str
    overrides: tuple[str, ...]


def slugify(text: str) -> str:
    """Return a text in lowercase, with a hyphen for each run of other characters than letters, digits, ``.``, ``_``.

    Examples
    --------
    >>> slugify("SE-RX, k = 0.50"), slugify("IRv2+SA")
    ('se-rx-k-0.50', 'irv2-sa')
    """
    return re.sub(r"[^a-z0-9._]+", "-", text.casefold()).strip("-")


def expand_variants(row: TableRow, variants: Mapping[str, RowVariant]) -> dict[str, DerivedRecipe]:
    """Return the recipe of each variant of a row; the variant of a table without variants is ``""``.

    Examples
    --------
    >>> row = TableRow(name="ResNet50", recipe="arl/cnn50", overrides="model=resnet50")
    >>> variants = {"SK": RowVariant(title="seborrheic keratosis", overrides="data.task=seborrheic_keratosis")}
    >>> expand_variants(row, variants)["SK"].slug
    'resnet50-seborrheic-keratosis'
    """
    if not row.recipe:
        return {}
    if not variants:
        return {"": DerivedRecipe(row.slug, row.recipe, row.overrides)}
    return {
        key: DerivedRecipe(
            f"{row.slug}-{slugify(variant.title)}", row.recipe, (*variant.overrides, *row.overrides)
        )
        for key, variant in variants.items()
    }


def find_row_recipe(name: str, relative_to: Path) -> DerivedRecipe | None:
    """Look up the recipe of a table row; None if there is no such table or row.

    Parameters
    ----------
    name
        ``TABLE:ROW``, where TABLE is a table of the package or the path of a YAML file.
    relative_to
        Folder to which the path of a table is relative.

    Raises
    ------
    RecipeError
        The table cannot be read.
    """
    table, _, row = name.rpartition(":")
    if is_yaml_path(table):
        file = relative_to / table
        return _parse_rows(core_value(read_yaml_mapping(file, f"the table {file}")), str(file)).get(row)
    return _builtin_row_recipes(table).get(row) if table in builtin_tables() else None


def row_recipe_names() -> list[str]:
    """Return the names of the recipes of all rows of the package's tables."""
    return [f"{table}:{slug}" for table in builtin_tables() for slug in _builtin_row_recipes(table)]


@cache
def _builtin_row_recipes(table: str) -> dict[str, DerivedRecipe]:
    return _parse_rows(core_value(read_yaml_mapping(builtin_tables()[table], f"the table {table}")), table)


def _parse_rows(tree: Mapping[str, Any], table: str) -> dict[str, DerivedRecipe]:
    """Return the recipes of a table by slug; of a table with variants, also each row's recipe without variant."""
    try:
        variants = {key: RowVariant.model_validate(value) for key, value in tree.get("variants", {}).items()}
        rows = [
            TableRow.model_validate({key: row[key] for key in TableRow.model_fields if key in row})
            for row in tree.get("rows", ())
        ]
    except (ValidationError, AttributeError, TypeError) as error:
        raise RecipeError(f"cannot read the rows of the table {table}: {error}") from error
    recipes = [
        recipe
        for row in rows
        for recipe in (*expand_variants(row, variants).values(), *expand_variants(row, {}).values())
    ]
    return {recipe.slug: recipe for recipe in recipes}
