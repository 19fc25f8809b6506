"""Commands, recipe keys, imports, modules and paths in the documentation exist."""

import ast
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from lesionlens.runs.load import load_recipe

from ..helpers.doc_pages import PAGES, ROOT, code_blocks, page_steps

PACKAGE = ROOT / "src" / "lesionlens"


def shown_commands(page: Path) -> Iterator[str]:
    """Yield the arguments of the commands in console blocks that call lesionlens."""
    for step in page_steps(page):
        if match := re.match(r"(?:\.venv/bin/)?lesionlens (.*)", step.text):
            yield match[1]


def imported_names(source: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lesionlens"):
            yield from ((node.module or "", alias.name) for alias in node.names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_exist(page: Path, generate: ModuleType) -> None:
    known = {
        command.name.removeprefix("lesionlens "): " ".join(row.name for row in generate.iter_rows(command))
        for command in generate.iter_commands()
    }
    for line in shown_commands(page):
        name = next((name for name in sorted(known, reverse=True) if f"{line} ".startswith(f"{name} ")), None)
        assert name is not None, f"unknown command: lesionlens {line}"
        options = re.findall(r"(?<=\s)--?[a-z][a-z-]*", line.removeprefix(name))
        assert [
            option
            for option in options
            if f"{option}`" not in known[name] and f"`{option}/" not in known[name]
        ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_shown_recipes_and_keys_load(page: Path) -> None:
    for line in shown_commands(page):
        command, *arguments = shlex.split(line)
        if command == "train" and arguments[0][0] != "-" and ".yaml" not in arguments[0]:
            overrides = [argument for argument in arguments[1:] if re.match(r"[a-z_.]+=", argument)]
            assert load_recipe(arguments[0], ["data=table:my.csv", *overrides]).data.source


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_imports_exist(page: Path) -> None:
    for block in code_blocks(page, "python"):
        for module, name in imported_names(block):
            assert hasattr(import_module(module), name), f"from {module} import {name}"


def test_modules_of_the_glossary_exist() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    packages = "|".join(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file())
    modules = re.findall(rf"`((?:{packages})\.[\w.]+)`", text)
    assert modules
    for module in modules:
        import_module(f"lesionlens.{module}")


def test_paths_of_contributing_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"`([\w/]+(?:\.py|/))`", text)
    assert paths
    assert [path for path in paths if not ((PACKAGE / path).exists() or (ROOT / path).exists())] == []
