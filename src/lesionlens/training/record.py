"""What is known of a run, or of a group of runs, in one JSON file of its folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lesionlens.atomic import write_text


@dataclass(frozen=True)
class RunMetadata:
    """A folder with a resolved recipe and a record.

    Attributes
    ----------
    path
        The folder.
    """

    METADATA_FILE: ClassVar[str]
    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.yaml"

    def exists(self) -> bool:
        """Say whether record and recipe are there."""
        return self._metadata_path.is_file() and self.recipe.is_file()

    def metadata(self) -> dict[str, Any]:
        """Read what is known."""
        found: dict[str, Any] = json.loads(self._metadata_path.read_text(encoding="utf-8"))
        return found

    def update(self, **facts: Any) -> None:
        """Add facts to the record."""
        known = self.metadata() if self._metadata_path.is_file() else {}
        write_text(self._metadata_path, json.dumps({**known, **facts}, indent=2, ensure_ascii=False) + "\n")

    @property
    def _metadata_path(self) -> Path:
        return self.path / self.METADATA_FILE
