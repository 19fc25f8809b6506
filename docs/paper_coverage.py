"""Coverage of the papers: every statement of the four texts with its code, command and test, from ``coverage.yaml``.

``docs/generate.py`` writes the page. ``broken_references`` checks that everything that an item names exists.
"""

import ast
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from lesionlens.reproduction.catalog import PAPERS, list_tables
from lesionlens.runs.recipe_files import builtin_recipes

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "lesionlens"
TITLES = {**PAPERS, "across": "Across the papers"}
INTRODUCTION = """\
The texts of the four papers, statement by statement: which code computes it, which command shows it, and which test
checks it. A command in this page is a table or figure of [`lesionlens reproduce`](reproduce.md), a recipe of
[`lesionlens train`](recipes.md), or another [command](cli.md). Code is in `src/lesionlens`, tests are in `tests`.
What a paper leaves open is in [Differences from the papers](differences.md)."""
STATUS_MEANINGS = {
    "works": "as the paper states it; a note says how an ambiguous point is read",
    "partly": "the note says what is lacking",
    "missing": "not yet there",
    "lost": "needs text, numbers or data that are not available; all else works",
}
HEADER = ["| # | section | statement | code, command, test | status |", "| --- | --- | --- | --- | --- |"]


class CoverageItem(BaseModel):
    """A statement of a paper; the keys are described in ``coverage.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)  # section 3.1 is text

    number: int
    section: str
    item: str
    code: str
    command: str
    test: str
    status: Literal["works", "partly", "missing", "lost"]
    note: str = ""

    @model_validator(mode="after")
    def _note_says_what_is_lacking(self) -> "CoverageItem":
        if self.status != "works" and not self.note:
            raise ValueError(f"item {self.number} is {self.status}; add a note that says what is lacking")
        return self


@cache
def read_items() -> dict[str, tuple[CoverageItem, ...]]:
    """Return the items of each paper, and those across the papers."""
    text = Path(__file__).with_name("coverage.yaml").read_text(encoding="utf-8")
    tree: dict[str, list[dict[str, Any]]] = yaml.safe_load(text)
    return {
        paper: tuple(CoverageItem.model_validate(item) for item in items) for paper, items in tree.items()
    }


def coverage_text() -> str:
    """Return the page's text in Markdown."""
    sections = [
        "\n".join([f"## {TITLES[paper]}", "", *HEADER, *map(_row, items)])
        for paper, items in read_items().items()
    ]
    return "\n\n".join([INTRODUCTION, _counts(), *sections])


def broken_references(commands: Collection[str]) -> Iterator[str]:
    """Yield the number and text of each reference to code, a command or a test that does not exist.

    Parameters
    ----------
    commands
        Full names of all commands, such as ``lesionlens data validate``.
    """
    known = {*commands, *list_tables(), *builtin_recipes()}
    for item in (item for items in read_items().values() for item in items):
        if not _defines(SOURCE, *item.code.split(":")):
            yield f"{item.number}: code {item.code}"
        if item.command not in known:
            yield f"{item.number}: command {item.command}"
        if not _defines(ROOT, *item.test.split("::")):
            yield f"{item.number}: test {item.test}"


def _counts() -> str:
    items = [item for items in read_items().values() for item in items]
    numbers = {
        status: [str(item.number) for item in items if item.status == status] for status in STATUS_MEANINGS
    }
    lines = [
        f"| {status} | {len(numbers[status])} | {meaning} | {'' if status == 'works' else ', '.join(numbers[status])} |"
        for status, meaning in STATUS_MEANINGS.items()
        if numbers[status]
    ]
    return "\n".join(
        [f"| status | of {len(items)} | meaning | statements |", "| --- | --- | --- | --- |", *lines]
    )


def _row(item: CoverageItem) -> str:
    file, name = item.code.split(":")
    test_file, test = item.test.split("::")
    references = [
        f"`{file}` `{name}`",
        f"[`{item.command}`]({_target(item.command)})",
        f"`{test_file.removeprefix('tests/')}` `{test.removeprefix('test_')}`",
    ]
    cells = [
        str(item.number),
        item.section,
        item.item + (f"<br><small>{item.note}</small>" if item.note else ""),
        "<br>".join(references),
        item.status if item.status == "works" else f"**{item.status}**",
    ]
    return f"| {' | '.join(cells)} |"


def _target(command: str) -> str:
    """Return the page that describes a command."""
    if command in list_tables():
        return "reproduction-status.md"
    return "recipes.md" if command in builtin_recipes() else f"cli.md#{re.sub(r'[ ]', '-', command)}"


def _defines(root: Path, file: str, name: str) -> bool:
    path = root / file
    return path.is_file() and name in (_yaml_keys(path) if path.suffix == ".yaml" else _python_names(path))


@cache
def _python_names(path: Path) -> frozenset[str]:
    """Return the names that a module defines, methods as ``Class.method``."""
    return frozenset(_names(ast.parse(path.read_text(encoding="utf-8")).body))


def _names(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
                yield from (f"{name}.{member}" for member in _names(node.body))
            case ast.Assign(targets=targets):
                yield from (
                    part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)
                )
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


@cache
def _yaml_keys(path: Path) -> frozenset[str]:
    """Return the keys of a YAML file, nested ones as ``key.key``."""
    return frozenset(_keys(yaml.safe_load(path.read_text(encoding="utf-8"))))


def _keys(tree: Any, prefix: str = "") -> Iterator[str]:
    for key, value in tree.items() if isinstance(tree, dict) else ():
        yield f"{prefix}{key}"
        yield from _keys(value, f"{prefix}{key}.")
