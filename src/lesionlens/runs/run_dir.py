"""Run directory: paths of its files, the recipe, and the metadata of the run."""

import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import yaml

from lesionlens.core.errors import RunError
from lesionlens.core.fileio import write_text
from lesionlens.runs.plain_scalars import PlainScalar, core_value
from lesionlens.runs.schema import Recipe

PACKAGES = ("lesionlens", "torch", "torchvision", "timm", "lightning", "numpy", "scikit-learn")


@dataclass(frozen=True)
class RunMetadata:
    """Directory with a recipe and a JSON file of metadata.

    Attributes
    ----------
    path
        Path of the directory.
    """

    METADATA_FILE: ClassVar[str]
    path: Path

    @property
    def recipe(self) -> Path:
        """Path of the resolved recipe."""
        return self.path / "recipe.yaml"

    def exists(self) -> bool:
        """Return whether both metadata and recipe exist."""
        return self._metadata_path.is_file() and self.recipe.is_file()

    def metadata(self) -> dict[str, Any]:
        """Read the metadata."""
        metadata: dict[str, Any] = json.loads(self._metadata_path.read_text(encoding="utf-8"))
        return metadata

    def start(self, *, packages: Sequence[str] = (), **values: Any) -> None:
        """Write the metadata of a new run: name, command, start, versions (also of more ``packages``), other values."""
        self.update(
            name=self.path.name,
            command=" ".join(sys.argv),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=_package_versions(packages),
            **values,
        )

    def update(self, **values: Any) -> None:
        """Add or replace values of the metadata, atomically."""
        metadata = self.metadata() if self._metadata_path.is_file() else {}
        text = json.dumps({**metadata, **values}, indent=2, ensure_ascii=False) + "\n"
        write_text(self._metadata_path, text)

    @property
    def _metadata_path(self) -> Path:
        return self.path / self.METADATA_FILE


class RunDir(RunMetadata):
    """Directory of one run, with the paths of its files."""

    METADATA_FILE = "metadata.json"

    @property
    def splits_csv(self) -> Path:
        """Path of the table with the split of each image."""
        return self.path / "split.csv"

    @property
    def excluded(self) -> Path:
        """Path of the table of excluded images with the reasons."""
        return self.path / "excluded.csv"

    @property
    def metrics_csv(self) -> Path:
        """Path of the table with the training metrics of each epoch."""
        return self.path / "metrics.csv"

    @property
    def checkpoint(self) -> Path:
        """Path of the checkpoint after the last complete epoch."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best_model(self) -> Path:
        """Directory of the saved model: that of the best epoch, or of the last (``train.checkpoint``)."""
        return self.path / "model"

    def check_resumable(self) -> None:
        """Raise a ``RunError`` if the run is finished."""
        if self.metadata()["status"] == "finished":
            raise RunError(f"the run {self.path} is finished; there is nothing to resume")

    def check_dataset(self, saved: object, current: object) -> None:
        """Raise a ``RunError`` if the fingerprint of the dataset is not the one saved when the run started."""
        if saved != current:
            raise RunError(
                f"the dataset of {self.path} has changed since the run started (images, labels or sizes differ); "
                "restore it, or start a new run"
            )

    def predictions(self, split: str) -> Path:
        """Return the path of the predictions on a split."""
        return self.path / "predictions" / f"{split}.csv"

    def evaluation(self, split: str) -> Path:
        """Return the path of the evaluation on a split."""
        return self.path / "evaluation" / f"{split}.json"


def create_run_dir(name: str, *, out: Path | None = None, runs_dir: Path = Path("runs")) -> RunDir:
    """Create a run directory: ``out``, or the next free one of ``runs/NAME``, ``runs/NAME-2`` and so on.

    Raises
    ------
    RunError
        ``out`` exists (a run never overwrites another one), or the directory cannot be created.
    """
    stem = name.replace("/", "-")
    numbered = (runs_dir / (stem if number == 1 else f"{stem}-{number}") for number in range(1, 10_000))
    for path in [out] if out is not None else numbered:
        try:
            path.mkdir(parents=True, exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(f"cannot create the run directory {path}: {error.strerror}") from error
        return RunDir(path)
    raise RunError(
        f"{out or runs_dir / stem} already exists, and a run never overwrites another one; use another --out"
    )


def open_run_dir(path: Path) -> RunDir:
    """Open the directory of an existing run.

    Raises
    ------
    RunError
        The directory has no recipe or no metadata.
    """
    run_dir = RunDir(path)
    if not run_dir.exists():
        raise RunError(f"{path} is not a run directory: it has no recipe.yaml and metadata.json")
    return run_dir


class _RecipeDumper(yaml.SafeDumper):
    """Dumper that quotes text which `lesionlens.runs.yaml_documents` would read as a number, boolean or null."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(core_value(PlainScalar(text)), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_RecipeDumper.add_representer(str, _represent_text)


def to_yaml(recipe: Recipe) -> str:
    """Format a recipe as YAML, including all defaults."""
    tree = recipe.model_dump(mode="json")
    text: str = yaml.dump(tree, Dumper=_RecipeDumper, sort_keys=False, allow_unicode=True)
    return text


def write_recipe(run_dir: RunMetadata, recipe: Recipe) -> None:
    """Write the recipe of a run to its directory, atomically."""
    write_text(run_dir.recipe, to_yaml(recipe))


def _package_versions(more: Sequence[str]) -> dict[str, str]:
    """Return the versions of Python and of the packages that affect results."""
    return {"python": platform.python_version(), **{name: version(name) for name in (*PACKAGES, *more)}}
