"""Run directory: paths of its files, the recipe, and the metadata of the run."""

import errno
import hashlib
import json
import os
import platform
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import yaml

from lesionlens.core.errors import DamagedFileError, RunError, RunInterrupted, WriteError
from lesionlens.core.fileio import check_replaceable_dir, current_umask, write_text
from lesionlens.core.partial_files import partial_directory
from lesionlens.runs.load import load_recipe
from lesionlens.runs.plain_scalars import PlainScalar, core_value
from lesionlens.runs.schema import Recipe

RESUME_COMMAND = "lesionlens train --resume"
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
        """Read the metadata.

        Raises
        ------
        DamagedFileError
            The file is not valid JSON, or its content differs from its checksum.
        """
        try:
            metadata = json.loads(self._metadata_path.read_text(encoding="utf-8"))
            checksum = metadata.pop("checksum", "")
        except (ValueError, RecursionError, AttributeError, TypeError) as error:
            raise self.damaged(f"not a JSON object: {error}") from error
        if checksum not in ("", _checksum(metadata)):
            raise self.damaged("its content does not match its checksum")
        result: dict[str, Any] = metadata
        return result

    def damaged(self, reason: object) -> DamagedFileError:
        """Return an error about damaged metadata."""
        return DamagedFileError(
            self._metadata_path, reason, "restore it from a backup, or start a new run with another --out"
        )

    def start(self, *, command: str | None = None, packages: Sequence[str] = (), **values: Any) -> None:
        """Write the metadata of a new run: command, start, versions (also of more ``packages``), and other values.

        The command is that of this process, unless another is named.
        """
        self.update(
            command=command or " ".join(sys.argv),
            recipe_checksum=self.recipe_checksum(),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=_package_versions(packages),
            **values,
        )

    def update(self, **values: Any) -> None:
        """Add or replace values of the metadata, atomically."""
        metadata = {**(self.metadata() if self._metadata_path.is_file() else {}), **values}
        record = {**metadata, "checksum": _checksum(metadata)}
        write_text(self._metadata_path, json.dumps(record, indent=2, ensure_ascii=False) + "\n")

    def recipe_checksum(self) -> str:
        """Return the checksum of the recipe's file; "" if there is none."""
        return _digest(self.recipe.read_bytes()) if self.recipe.is_file() else ""

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

    def status(self) -> str:
        """Return the status: ``running``, ``trained``, ``interrupted`` or ``finished``.

        Raises
        ------
        DamagedFileError
            The metadata are damaged or have no status.
        """
        status = self.metadata().get("status")
        if not isinstance(status, str):
            raise self.damaged("it has no status")
        return status

    def check_resumable(self) -> None:
        """Raise a ``RunError`` if the run is finished or its metadata are damaged."""
        if self.status() == "finished":
            raise RunError(f"the run {self.path} is finished; there is nothing to resume")
        metadata = self.metadata()
        if not isinstance(metadata.get("seconds"), int | float) or not isinstance(metadata.get("data"), dict):
            raise self.damaged("it has no seconds or no data")

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


def _checksum(metadata: dict[str, Any]) -> str:
    return _digest(json.dumps(metadata, sort_keys=True).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def create_run_dir(
    name: str,
    *,
    out: Path | None = None,
    runs_dir: Path = Path("runs"),
    write: Callable[[RunDir], None] = lambda _: None,
) -> RunDir:
    """Create a run directory with its first files: ``out``, or the next free one of ``runs/NAME`` and ``runs/NAME-2``.

    The directory appears when its files are complete, so that every run directory has its metadata.

    Parameters
    ----------
    name
        Name of the recipe.
    out
        Directory to create; it may exist if it is empty.
    runs_dir
        Directory of runs without ``out``.
    write
        Function that writes the first files.

    Raises
    ------
    RunError
        ``out`` has files (a run never overwrites another one), or the directory cannot be created.
    """
    candidates = _candidate_paths(name, out, runs_dir)
    with ExitStack() as stack:
        try:
            candidates[0].parent.mkdir(parents=True, exist_ok=True)
            partial = stack.enter_context(partial_directory(candidates[0].parent, "run"))
        except OSError as error:
            raise _creation_error(candidates[0], error) from error
        partial.chmod(0o777 & ~current_umask())
        write(RunDir(partial))
        free = (path for path in candidates if out is not None or not path.exists())
        path = next((path for path in free if _move_to(partial, path)), None)
    if path is None:
        raise _exists_error(candidates[0])
    return RunDir(path)


def check_run_dir(name: str, *, out: Path | None = None, runs_dir: Path = Path("runs")) -> None:
    """Raise an error if ``create_run_dir`` could not create a directory; called before images are decoded.

    Raises
    ------
    RunError
        As ``create_run_dir``.
    """
    candidates = _candidate_paths(name, out, runs_dir)
    try:
        is_free = any(not path.exists() for path in candidates) or _is_empty(candidates[0])
    except OSError as error:
        raise _creation_error(candidates[0], error) from error
    if not is_free:
        raise _exists_error(candidates[0])
    if out is not None and out.exists() and out.samefile(Path.cwd()):
        raise RunError(f"{out} is the working directory; name a new folder in it, such as --out {out / name}")
    check_replaceable_dir(candidates[0])


def _candidate_paths(name: str, out: Path | None, runs_dir: Path) -> list[Path]:
    if out is not None:
        return [out]
    stem = name.replace("/", "-")
    return [runs_dir / (stem if number == 1 else f"{stem}-{number}") for number in range(1, 10_000)]


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _move_to(partial: Path, path: Path) -> bool:
    """Move a directory to a path that does not exist, or is an empty directory; return False if it is taken."""
    try:
        path.mkdir(exist_ok=True)
        if any(path.iterdir()):
            return False
        os.rename(partial, path)
    except (FileExistsError, NotADirectoryError):
        return False
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            return False
        raise _creation_error(path, error) from error
    return True


def _creation_error(path: Path, error: OSError) -> RunError:
    return RunError(f"cannot create the run directory {path}: {error.strerror}. Choose another --out")


def _exists_error(path: Path) -> RunError:
    return RunError(
        f"{path} already exists and is not empty, and a run never overwrites another one; use another --out"
    )


def resume_hint(command: str, path: Path) -> str:
    """Return the sentence that states how to resume a run, for the end of a message."""
    return f"Resume with: {command} {shlex.quote(str(path))}"


@contextmanager
def resumable(path: Path, command: str) -> Iterator[None]:
    """Add the command that resumes a run to messages about an interruption and about files that cannot be written.

    Raises
    ------
    RunInterrupted
        The block was interrupted.
    WriteError
        A file cannot be written.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        raise RunInterrupted(
            f"interrupted; what is complete is saved. {resume_hint(command, path)}"
        ) from stop
    except WriteError as error:
        raise WriteError(f"{error} {resume_hint(command, path)}") from error


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


_LINE_BREAKS = ("\n", "\r", "\x85", "\u2028", "\u2029")


class _RecipeDumper(yaml.SafeDumper):
    """Dumper that quotes text which `lesionlens.runs.yaml_documents` would read as a number, boolean or null.

    Text with line breaks is escaped: without that, a line that consists of them is read as others.
    """


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(core_value(PlainScalar(text)), str) else "'"
    if len(text.splitlines()) > 1 or text.endswith(_LINE_BREAKS):
        style = '"'
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
    if run_dir.exists():
        run_dir.update(recipe_checksum=run_dir.recipe_checksum())


def read_recipe(run_dir: RunMetadata) -> Recipe:
    """Read the recipe of a run.

    Raises
    ------
    DamagedFileError
        The file has changed since the run started: keys that are missing would have their defaults.
    RecipeError
        The file is not a recipe.
    """
    if run_dir.metadata().get("recipe_checksum", "") not in ("", run_dir.recipe_checksum()):
        raise DamagedFileError(
            run_dir.recipe,
            "its content does not match its checksum",
            "restore it from a backup. If you edited it, start a new run with it: "
            f"{shlex.join(['lesionlens', 'train', str(run_dir.recipe)])}",
        )
    return load_recipe(str(run_dir.recipe))


def _package_versions(more: Sequence[str]) -> dict[str, str]:
    """Return the versions of Python and of the packages that affect results."""
    return {"python": platform.python_version(), **{name: version(name) for name in (*PACKAGES, *more)}}
