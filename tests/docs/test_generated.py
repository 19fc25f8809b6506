"""The generated reference pages match the code, and every command and option is documented."""

from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def test_generated_pages_are_up_to_date(generate: ModuleType) -> None:
    assert generate.stale_pages() == [], "run: python docs/generate.py"


def test_every_command_and_option_has_a_description(generate: ModuleType) -> None:
    commands = list(generate.iter_commands())
    undocumented = [command.name for command in commands if not command.callback.__doc__]
    undocumented += [
        f"{command.name} {row.name}"
        for command in commands
        for row in generate.iter_rows(command)
        if not row.description or row.description.startswith("(")
    ]
    assert undocumented == []


def test_numpy_docstring_becomes_markdown(generate: ModuleType) -> None:
    text = "Sum.\n\nParameters\n----------\na, b\n    Two ``int``\n    terms.\n\nReturns\n-------\nint\n    ``a|b``."
    assert generate.docstring_to_markdown(text) == (
        "Sum.\n\n**Parameters**\n\n| name | description |\n| --- | --- |\n| `a`, `b` | Two `int` terms. |\n\n"
        "**Returns**\n\n| type | description |\n| --- | --- |\n| `int` | `a\\|b`. |"
    )


def test_every_page_is_in_the_navigation() -> None:
    navigation = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in sorted(DOCS.glob("*.md")) if f": {page.name}" not in navigation] == []


def test_coverage_has_every_statement_once_with_its_code(generate: ModuleType) -> None:
    items = [item for items in generate.paper_coverage.read_items().values() for item in items]
    assert [item.number for item in items] == list(range(1, 182))
    assert generate.broken_coverage_references() == []


def test_coverage_names_what_does_not_exist(generate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    coverage = generate.paper_coverage
    (first, *_), code = coverage.read_items()["arl"], "models/attention/arl.py:MaskNormalization."
    items = [
        first.model_copy(update={"code": f"{code}compute_mask", "command": "arl/cnn50", "test": first.test}),
        first.model_copy(update={"code": f"{code}compute"}),
        first.model_copy(update={"command": "arl/table9"}),
        first.model_copy(update={"test": "tests/docs/test_generated.py::test_nothing"}),
    ]
    monkeypatch.setattr(coverage, "read_items", lambda: {"arl": items})
    kinds = [problem.split()[1] for problem in generate.broken_coverage_references()]
    assert kinds == ["code", "command", "test"]
    with pytest.raises(ValueError, match="item 1 is missing; add a note"):
        coverage.CoverageItem.model_validate(first.model_dump() | {"status": "missing"})
