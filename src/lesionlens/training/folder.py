"""A run's folder: where each thing lies, and the record of what was run."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import yaml

from lesionlens.atomic import write_text
from lesionlens.errors import RunError
from lesionlens.training.recipe import Recipe
from lesionlens.training.record import Recorded

_PACKAGES = ("lesionlens", "torch", "torchvision", "timm", "lightning", "numpy", "scikit-learn")


class RunFolder(Recorded):
    """The places in a run's folder."""

    RECORD = "run.json"

    @property
    def split(self) -> Path:
        """The part of each image."""
        return self.path / "split.csv"

    @property
    def left_out(self) -> Path:
        """The images that take no part, with the reasons."""
        return self.path / "left-out.csv"

    @property
    def log(self) -> Path:
        """One row for each epoch."""
        return self.path / "log.csv"

    @property
    def checkpoint(self) -> Path:
        """Everything that is needed to go on, after the last whole epoch."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        """The bundle of the best epoch, or of the last (``train.keep``)."""
        return self.path / "best"

    def predictions(self, part: str) -> Path:
        """Scores of a part."""
        return self.path / "predictions" / f"{part}.csv"

    def evaluation(self, part: str) -> Path:
        """Numbers of a part."""
        return self.path / "evaluation" / f"{part}.json"


def new_folder(name: str, *, out: Path | None = None, runs: Path = Path("runs")) -> RunFolder:
    """Make a run's folder: ``out``, or the next free one of ``runs/NAME``, ``runs/NAME-2`` and so on.

    Raises
    ------
    RunError
        ``out`` is there already: a run never overwrites another; or the folder cannot be made.
    """
    stem = name.replace("/", "-")
    numbered = (runs / (stem if number == 1 else f"{stem}-{number}") for number in range(1, 10_000))
    for path in [out] if out is not None else numbered:
        try:
            path.mkdir(parents=True, exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(f"cannot make the run's folder {path}: {error.strerror}") from error
        return RunFolder(path)
    raise RunError(
        f"{out or runs / stem} is there already, and a run never overwrites another; choose another --out"
    )


def open_folder(path: Path) -> RunFolder:
    """Open the folder of a run that was started before.

    Raises
    ------
    RunError
        It is no run's folder.
    """
    folder = RunFolder(path)
    if not folder.is_there():
        raise RunError(f"{path} is no run's folder: it has no recipe.yaml and run.json")
    return folder


def recipe_text(recipe: Recipe) -> str:
    """Write a recipe as YAML with every default spelt out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def write_recipe(folder: RunFolder, recipe: Recipe) -> None:
    """Write the recipe into its run's folder, atomically."""
    write_text(folder.recipe, recipe_text(recipe))


def versions() -> Mapping[str, str]:
    """Give the versions of what computes."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
