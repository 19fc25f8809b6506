"""What is known of a run, or of a group of runs, in one JSON file of its folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lesionlens.atomic import write_text


@dataclass(frozen=True)
class Recorded:
    """A folder with a resolved recipe and a record.

    Attributes
    ----------
    path
        The folder.
    """

    RECORD: ClassVar[str]
    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.yaml"

    def is_there(self) -> bool:
        """Say whether record and recipe are there."""
        return self._record.is_file() and self.recipe.is_file()

    def record(self) -> dict[str, Any]:
        """Read what is known."""
        found: dict[str, Any] = json.loads(self._record.read_text(encoding="utf-8"))
        return found

    def note(self, **facts: Any) -> None:
        """Add facts to the record."""
        known = self.record() if self._record.is_file() else {}
        write_text(self._record, json.dumps({**known, **facts}, indent=2, ensure_ascii=False) + "\n")

    @property
    def _record(self) -> Path:
        return self.path / self.RECORD
