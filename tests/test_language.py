"""The vocabulary of docs, docstrings, comments, messages and help: the field's terms, American spelling."""

from pathlib import Path

import pytest

from .helpers.language import OPENING, ROOT, docstrings, findings, local_names, prose_of

SOURCE = sorted((ROOT / "src" / "lesionlens").rglob("*.py"))
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", [*SOURCE, *PAGES], ids=name_of)
def test_prose_uses_the_fields_words(path: Path) -> None:
    assert [f"{word.path}:{word.line}: {word.word!r}: use {word.hint}" for word in findings(path)] == []


@pytest.mark.parametrize("path", SOURCE, ids=name_of)
def test_docstrings_and_locals_name_things(path: Path) -> None:
    assert [line for line, text in docstrings(path) if OPENING.match(text)] == []
    assert list(local_names(path)) == []


def test_code_in_a_page_is_not_prose(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Some prose.\n\n```console\n$ a command\n```\n")
    assert list(prose_of(page)) == [(1, "Some prose."), (2, ""), (6, "")][:2]
