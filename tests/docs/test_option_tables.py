"""Option tables of the pages list every option of their command with its default, and options in tables work."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from ..helpers.doc_pages import ROOT

PARTIAL_TABLES = {"speed.md"}  # list only options that the page is about
TABLES = {  # page -> command
    "explain.md": "lesionlens explain",
    "inference.md": "lesionlens predict",
    "segmentation.md": "lesionlens segment train",
    "speed.md": "lesionlens predict",
}


def table_rows(page: Path) -> dict[str, str]:
    """Return the options in the first column of the table after ``| option | default |``, with their defaults."""
    rows: dict[str, str] = {}
    table = re.search(
        r"^\| option[^|]*\| default \|.*\n.*\n((?:\|.*\n)+)", page.read_text("utf-8"), flags=re.M
    )
    assert table is not None
    for line in table[1].splitlines():
        names, default = line.split(" | ")[:2]
        rows |= dict.fromkeys(re.findall(r"`(--[a-z-]+)`", names), default.replace("`", ""))
    return rows


@pytest.mark.parametrize(("name", "command"), TABLES.items())
def test_option_table_agrees_with_the_command(name: str, command: str, generate: ModuleType) -> None:
    rows = table_rows(ROOT / "docs" / name)
    (callback,) = [item for item in generate.iter_commands() if item.name == command]
    options = {}
    for row in generate.iter_rows(callback):
        for option in re.findall(r"--[a-z-]+", row.name):
            options[option] = row.default.strip("`")
    assert set(rows) - set(options) == set()
    assert name in PARTIAL_TABLES or set(options) - set(rows) == set()
    different = {
        option: (rows[option], default)
        for option, default in options.items()
        if default and rows.get(option, default) != default
    }
    assert different == {}
