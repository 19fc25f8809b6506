"""Documentation page of all points in which the authors' code and the text of a paper differ."""

from collections.abc import Iterator, Mapping

from lesionlens.reproduction.catalog import PAPERS, list_tables, load_table_spec
from lesionlens.reproduction.spec import TableSpec
from lesionlens.runs.authors_code import CodeDifference
from lesionlens.runs.load import code_differences, load_recipe

INTRODUCTION = """\
What the authors' released code computes otherwise than the text of their paper. `lesionlens reproduce` follows
the text, and the code where the text is silent. `--variant authors` follows the code; `--variant both` also writes a
page with both side by side. `NAME@authors` is the recipe of a table row, or a base recipe, by the code:

```console
$ lesionlens train attnmel/table3.2:attnmel-cnn@authors data=isic2017:/data/isic2017
```

No code of Zhang et al. is public. What a paper leaves open is in [Differences from the papers](differences.md)."""
TABLE_HEADER = [
    "| point | text | authors' code | in `@authors` | tables |",
    "| --- | --- | --- | --- | --- |",
]


def authors_code_page() -> str:
    """Return the page's text in Markdown, generated from the recipes of all table rows by both protocols."""
    tables = {name: load_table_spec(name) for name in list_tables()}
    sections = [
        _section(title, {name: spec for name, spec in tables.items() if name.partition("/")[0] == paper})
        for paper, title in PAPERS.items()
    ]
    return "\n\n".join([INTRODUCTION, *filter(None, sections)])


def _section(title: str, tables: Mapping[str, TableSpec]) -> str:
    """Return the points of one paper's tables; "" if no code is public."""
    settings: dict[CodeDifference, dict[str, None]] = {}
    names: dict[CodeDifference, dict[str, None]] = {}
    for name, spec in tables.items():
        for point, overrides in _applied_points(name, spec):
            names.setdefault(point, {})[f"`{name}`"] = None
            settings.setdefault(point, {}).update(dict.fromkeys(f"`{override}`" for override in overrides))
    lines = [
        " | ".join(
            (
                f"| {point.point}",
                point.paper,
                point.code,
                _describe(point, settings[point]),
                ", ".join(names[point]),
            )
        )
        for point in names
    ]
    return "\n".join([f"## {title}", "", *TABLE_HEADER, *(f"{line} |" for line in lines)]) if lines else ""


def _applied_points(table: str, spec: TableSpec) -> Iterator[tuple[CodeDifference, list[str]]]:
    """Yield each point of each trained row with its overrides."""
    for row in spec.rows:
        for recipe in spec.recipes_of(row).values():
            name = f"{table}:{recipe.slug}"
            values = load_recipe(name).model_dump()
            yield from ((point, point.overrides_of(values)) for point in code_differences(name))


def _describe(point: CodeDifference, overrides: Mapping[str, None]) -> str:
    metrics = [f"`{code}` in place of `{paper}`" for paper, code in point.metrics]
    return ", ".join([*overrides, *metrics]) or "not computed"
