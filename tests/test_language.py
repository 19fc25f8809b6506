"""Vocabulary of docs, docstrings, comments, messages, help and test names: the field's terms, American spelling."""

from pathlib import Path

from .helpers.language import OPENING, ROOT, findings, prose_of, read_module

SOURCE = sorted((ROOT / "src" / "lesionlens").rglob("*.py"))
SCRIPTS = sorted(path for folder in ("tests", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py"))
CONFIGURATION = [
    *sorted((ROOT / "src").rglob("*.yaml")),
    *(
        ROOT / name
        for name in (
            ".ci/run",
            "Makefile",
            "mkdocs.yml",
            "pyproject.toml",
            "tests/bounds.sh",
            "tests/portable.sh",
        )
    ),
]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def test_prose_uses_the_fields_words() -> None:
    words = [word for path in (*SOURCE, *SCRIPTS, *CONFIGURATION, *PAGES) for word in findings(path)]
    assert [f"{word.path}:{word.line}: {word.word!r}: use {word.hint}" for word in words] == []


def test_docstrings_and_locals_name_things() -> None:
    modules = {path.relative_to(ROOT).as_posix(): read_module(path) for path in (*SOURCE, *SCRIPTS)}
    openings = {
        name: [line for line, text in module.docstrings if OPENING.match(text)]
        for name, module in modules.items()
    }
    assert {name: lines for name, lines in openings.items() if lines} == {}
    assert {name: module.roles for name, module in modules.items() if module.roles} == {}


def test_code_in_a_page_is_not_prose(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Some prose.\n\n```console\n$ a command\n```\n")
    assert list(prose_of(page)) == [(1, "Some prose."), (2, "")]


def test_docstrings_comments_and_names_of_tests_are_prose(tmp_path: Path) -> None:
    module = tmp_path / "test_module.py"
    module.write_text('"""Some tests."""\n\n\ndef test_unit_behavior():\n    run("a message")  # a comment\n')
    assert list(prose_of(module)) == [(1, "Some tests."), (4, "test unit behavior"), (5, "# a comment")]


def test_comments_of_configuration_are_prose(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("# a recipe\ndata: isic2017:x#y  # its source\n")
    assert list(prose_of(recipe)) == [(1, "a recipe"), (2, "its source")]
