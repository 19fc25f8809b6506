"""Commands, Python blocks and outputs that the documentation shows, in the order of the page."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
GENERATED = {"cli.md", "api.md"}
PAGES = [
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in GENERATED),
]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n(?=(\s*^```text\n(.*?)^```\n)?)", flags=re.M | re.S)


class Step(NamedTuple):
    """A shown command (``kind`` "console") or block (its language), and the lines that the page shows as its output."""

    page: str
    kind: str
    text: str
    output: tuple[str, ...] = ()


def code_blocks(page: Path, language: str) -> list[str]:
    return [match[2] for match in _BLOCK.finditer(page.read_text(encoding="utf-8")) if match[1] == language]


def page_steps(page: Path) -> list[Step]:
    """Return the steps of a page; a text block directly after a console block is the output of its last command."""
    steps: list[Step] = []
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        if match[1] != "console":
            steps.append(Step(page.name, match[1], match[2]))
            continue
        steps += _console_steps(page.name, match[2])
        if match[3]:
            steps[-1] = steps[-1]._replace(output=tuple(match[4].splitlines()))
    return steps


def _console_steps(page: str, block: str) -> Iterator[Step]:
    """Yield the commands of a console block without comments, with joined continuation lines."""
    for shown in re.split(r"^\$ ", block, flags=re.M)[1:]:
        lines = shown.replace("\\\n", " ").splitlines()
        command = re.split(r"\s#", lines[0])[0].strip()
        output = [line for line in lines[1:] if not re.match(r"\s*#", line)]
        yield Step(page, "console", re.sub(r"\s+", " ", command), tuple(output))


def inline_commands(page: Path) -> list[str]:
    """Return the commands with arguments in the text and the tables of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.findall(r"`(lesionlens [^`]+)`", text)


def option_snippets(page: Path) -> list[str]:
    """Return the flags and the options with their values that tables of a page show."""
    rows = re.findall(r"^\|.*\|$", page.read_text(encoding="utf-8"), flags=re.M)
    return re.findall(r"`(--all-pairs|--common-images|--?[a-z][a-z-]* [^`]*)`", "\n".join(rows))
