"""A run's folder: where each thing lies, and the record of what was run."""

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import yaml

from lesionlens.core.errors import RunError
from lesionlens.core.fileio import write_text
from lesionlens.runs.schema import Recipe


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


_PACKAGES = ("lesionlens", "torch", "torchvision", "timm", "lightning", "numpy", "scikit-learn")


class RunDir(RunMetadata):
    """The places in a run's folder."""

    METADATA_FILE = "metadata.json"

    @property
    def splits_csv(self) -> Path:
        """The part of each image."""
        return self.path / "split.csv"

    @property
    def excluded(self) -> Path:
        """The images that take no part, with the reasons."""
        return self.path / "excluded.csv"

    @property
    def metrics_csv(self) -> Path:
        """One row for each epoch."""
        return self.path / "metrics.csv"

    @property
    def checkpoint(self) -> Path:
        """Everything that is needed to go on, after the last whole epoch."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best_model(self) -> Path:
        """The bundle of the best epoch, or of the last (``train.checkpoint``)."""
        return self.path / "model"

    def predictions(self, split: str) -> Path:
        """Scores of a part."""
        return self.path / "predictions" / f"{split}.csv"

    def evaluation(self, split: str) -> Path:
        """Numbers of a part."""
        return self.path / "evaluation" / f"{split}.json"


def create_run_dir(name: str, *, out: Path | None = None, runs_dir: Path = Path("runs")) -> RunDir:
    """Make a run's folder: ``out``, or the next free one of ``runs/NAME``, ``runs/NAME-2`` and so on.

    Raises
    ------
    RunError
        ``out`` is there already: a run never overwrites another; or the folder cannot be made.
    """
    stem = name.replace("/", "-")
    numbered = (runs_dir / (stem if number == 1 else f"{stem}-{number}") for number in range(1, 10_000))
    for path in [out] if out is not None else numbered:
        try:
            path.mkdir(parents=True, exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(f"cannot make the run's folder {path}: {error.strerror}") from error
        return RunDir(path)
    raise RunError(
        f"{out or runs_dir / stem} is there already, and a run never overwrites another; choose another --out"
    )


def open_run_dir(path: Path) -> RunDir:
    """Open the folder of a run that was started before.

    Raises
    ------
    RunError
        It is no run's folder.
    """
    folder = RunDir(path)
    if not folder.exists():
        raise RunError(f"{path} is no run's folder: it has no recipe.yaml and metadata.json")
    return folder


def to_yaml(recipe: Recipe) -> str:
    """Write a recipe as YAML with every default spelt out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def write_recipe(run_dir: RunDir, recipe: Recipe) -> None:
    """Write the recipe into its run's folder, atomically."""
    write_text(run_dir.recipe, to_yaml(recipe))


def package_versions() -> Mapping[str, str]:
    """Give the versions of what computes."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
