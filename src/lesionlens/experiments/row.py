"""One row of a table as data: what is run for it, and what was published."""

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from lesionlens.training.section import ConfigSection


def _as_list(value: object) -> object:
    """Let a list of one be given as the one."""
    return (value,) if isinstance(value, str) else value


StrTuple = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class PublishedValue(ConfigSection):
    """A published number: its value and, where the paper gives one, its spread; both in the table's unit."""

    value: float
    spread: float | None = None


def _parse_published(value: object) -> object:
    if isinstance(value, int | float):
        return {"value": value}
    if isinstance(value, list) and len(value) == 2:
        return {"value": value[0], "spread": value[1]}
    return value


class RowSpec(ConfigSection):
    """One row.

    Attributes
    ----------
    name
        As the paper calls it.
    group
        A heading over rows that belong together, such as the network.
    recipe
        Name of a shipped recipe.
    recipes
        In place of ``recipe``, where a row is several runs: part -> recipe.
    overrides
        ``section.key=value`` words over each recipe.
    reason_not_run
        Why it has no recipe: quoted from others, or not trained.
    published
        Column -> number, or [mean, spread]; what is lost or was not given is left out.
    maps
        Column -> the map that is this row's own, in place of the column's.
    x_value
        The number at which a sweep draws it.
    note
        What to know of the row: which of its published numbers come from where.
    """

    name: str
    group: str = ""
    recipe: str = ""
    recipes: dict[str, str] = Field(default_factory=dict)
    overrides: StrTuple = ()
    reason_not_run: str = ""
    published: dict[str, Annotated[PublishedValue, BeforeValidator(_parse_published)]] = Field(default_factory=dict)
    maps: dict[str, str] = Field(default_factory=dict)
    x_value: float | None = None
    note: str = ""

    @property
    def variants(self) -> dict[str, str]:
        """Part -> recipe; the part of a row of one recipe is ``""``."""
        return self.recipes or ({"": self.recipe} if self.recipe else {})

    @model_validator(mode="after")
    def _check_one_source(self) -> "RowSpec":
        if sum(map(bool, (self.recipe, self.recipes, self.reason_not_run))) != 1:
            raise ValueError(f"the row {self.name}: give one of recipe, recipes and without")
        return self
