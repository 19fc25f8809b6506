"""What is scored so far, in a file beside the one it will become: a run that is stopped goes on from there."""

import errno
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from lesionlens.core.errors import PredictionsError
from lesionlens.core.fileio import write_error, write_text
from lesionlens.inference.engine import EngineName, Precision
from lesionlens.inference.results import ImageResult
from lesionlens.models.saved_model import find_model_dir

HASHED_FILES = ("model.safetensors", "model_card.json")


class Provenance(BaseModel):
    """Whose scores partial predictions are: their first line. Scores of different origins never come into one file.

    Attributes
    ----------
    model
        SHA-256 of the model's weights and card.
    engine, precision
        What computed, and how.
    device
        Kind of device: cpu, cuda …
    decoder
        What made the pixels: our way and the libraries' versions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file_format: str = "predictions of lesionlens 1"  # the number: of this layout of lines
    model: str
    engine: EngineName
    precision: Precision
    device: str
    decoder: str


def hash_model_files(model_dir: Path | str) -> str:
    """Give the SHA-256 of a saved model's weights and card."""
    found = hashlib.sha256()
    for name in HASHED_FILES:
        found.update((find_model_dir(Path(model_dir)) / name).read_bytes())
    return found.hexdigest()


def read_provenance(path: Path, requested: Provenance) -> Provenance | None:
    """Tell whose scores partial predictions are; None where there is no such file, or no whole line of scores in it.

    Raises
    ------
    PredictionsError
        Those of another model, engine (``auto`` goes on with any), precision, kind of device or decoder, which are not
        mixed; or a file of this name is something else.
    """
    if not path.exists():
        return None
    try:
        with path.open("rb") as stream:
            before = Provenance.model_validate_json(stream.readline())
            scored = stream.readline().endswith(b"\n")
    except (OSError, ValidationError) as error:
        raise PredictionsError(
            f"{path} is nothing that scoring can go on from; remove it, or give --restart to start anew"
        ) from error
    if not scored:
        return None
    told = list(_describe_differences(before, requested))
    if told:
        raise PredictionsError(
            f"{path} holds scores of {', '.join(told)}; they are never mixed. Give the first command again to go on, "
            "--restart to throw them away, or another --out"
        )
    return before


def _describe_differences(saved: Provenance, requested: Provenance) -> Iterator[str]:
    for (name, was), (_, now) in zip(saved, requested, strict=True):
        if name == "model" and was != now:
            yield "another model (its weights or card differ)"
        elif was != now and (name, now) != ("engine", "auto"):
            yield f"{name} {was}, not {now}"


def partial_path(out: Path) -> Path:
    """Say where the partial predictions of a file lie."""
    return out.with_name(f"{out.name}.partial")


class PartialPredictions:
    """A file to which a line is added for each batch: whatever stops the process, whole lines are there."""

    def __init__(self, path: Path, provenance: Provenance, *, overwrite: bool) -> None:
        """Open a file of this provenance, or begin a new one; a last line that was cut off is dropped.

        Raises
        ------
        RunError
            The folder cannot be written.
        """
        self.path = path
        if overwrite:
            write_text(path, provenance.model_dump_json() + "\n")
        try:
            self._stream: BinaryIO = path.open("r+b", buffering=0)
            with path.open("rb") as lines:
                self._header_size = len(lines.readline())
                whole = self._header_size + sum(len(line) for line, _ in _read_batches(lines))
            self._stream.truncate(whole)
            self._stream.seek(whole)
        except OSError as error:
            raise write_error(path, error) from error

    def read_results(self) -> Iterator[ImageResult]:
        """Give what came of images before."""
        with self.path.open("rb") as lines:
            lines.seek(self._header_size)
            for _, batch in _read_batches(lines):
                yield from batch

    def add(self, batch: Sequence[ImageResult]) -> None:
        """Write what came of a batch; at once, so that it outlives the process.

        Raises
        ------
        RunError
            The disk is full, or not there any more.
        """
        line = json.dumps(batch).encode() + b"\n"
        try:
            if self._stream.write(line) < len(line):
                raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise write_error(self.path, error) from error

    def remove(self) -> None:
        """Take it away: nothing is left to go on with."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()


def _read_batches(stream: BinaryIO) -> Iterator[tuple[bytes, list[ImageResult]]]:
    """Give whole lines and what they hold, up to the first that was cut off."""
    for line in stream:
        try:
            batch = [ImageResult(*each) for each in json.loads(line)]
        except (ValueError, TypeError):
            return
        if not line.endswith(b"\n"):
            return
        yield line, batch
