"""The commands of the CLI, with those of its groups."""

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from lesionlens.cli import app


def all_commands(group: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each command with its name, such as ``data audit``."""
    for name, command in (group or get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from all_commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command
