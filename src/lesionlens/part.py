"""What is scored so far, in a file beside the one it will become: a run that is stopped goes on from there."""

import errno
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from lesionlens.atomic import cannot_write, write_text
from lesionlens.engines.engine import EngineName, Precision
from lesionlens.errors import PredictionsError, RunError
from lesionlens.models.bundle import bundle_of
from lesionlens.outcomes import Outcome

FILES = ("model.safetensors", "card.json")


class Origin(BaseModel):
    """Whose scores a part holds: its first line. Scores of different origins never come into one file.

    Attributes
    ----------
    model
        SHA-256 of the bundle's weights and card.
    engine, precision
        What computed, and how.
    device
        Kind of device: cpu, cuda …
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    part_of: str = "predictions of lesionlens 1"  # the number: of this layout of lines
    model: str
    engine: EngineName
    precision: Precision
    device: str


def part_of(out: Path) -> Path:
    """Say where the part of a file of predictions lies."""
    return out.with_name(f"{out.name}.part")


def digest(bundle: Path | str) -> str:
    """Give the SHA-256 of a bundle's weights and card."""
    found = hashlib.sha256()
    for name in FILES:
        found.update((bundle_of(Path(bundle)) / name).read_bytes())
    return found.hexdigest()


def begun(path: Path, asked: Origin) -> Origin | None:
    """Tell whose scores a part holds; None where there is none.

    Raises
    ------
    PredictionsError
        Those of another model, engine (``auto`` goes on with any), precision or kind of device, which are not mixed; or
        a file of this name is something else.
    """
    if not path.exists():
        return None
    try:
        with path.open("rb") as stream:
            before = Origin.model_validate_json(stream.readline())
    except (OSError, ValidationError) as error:
        raise PredictionsError(
            f"{path} is nothing that scoring can go on from; remove it, or give --fresh to start anew"
        ) from error
    told = list(_differing(before, asked))
    if told:
        raise PredictionsError(
            f"{path} holds scores of {', '.join(told)}; they are never mixed. Give the first command again to go on, "
            "--fresh to throw them away, or another --out"
        )
    return before


def _differing(before: Origin, asked: Origin) -> Iterator[str]:
    for (name, was), (_, now) in zip(before, asked, strict=True):
        if name == "model" and was != now:
            yield "another model (its weights or card differ)"
        elif was != now and (name, now) != ("engine", "auto"):
            yield f"{name} {was}, not {now}"


class Part:
    """A file to which a line is added for each batch: whatever stops the process, whole lines are there."""

    def __init__(self, path: Path, origin: Origin, *, new: bool) -> None:
        """Open a part of this origin, or begin a new one; a last line that was cut off is dropped.

        Raises
        ------
        RunError
            The folder cannot be written.
        """
        self.path = path
        if new:
            write_text(path, origin.model_dump_json() + "\n")
        try:
            self._stream: BinaryIO = path.open("r+b", buffering=0)
            with path.open("rb") as lines:
                self._first = len(lines.readline())
                whole = self._first + sum(len(line) for line, _ in _batches(lines))
            self._stream.truncate(whole)
            self._stream.seek(whole)
        except OSError as error:
            raise cannot_write(path, error) from error

    def outcomes(self) -> Iterator[Outcome]:
        """Give what came of images before."""
        with self.path.open("rb") as lines:
            lines.seek(self._first)
            for _, batch in _batches(lines):
                yield from batch

    def add(self, batch: Sequence[Outcome]) -> None:
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
            raise cannot_write(self.path, error) from error

    def remove(self) -> None:
        """Take it away: nothing is left to go on with."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Let no other process write the same file meanwhile.

    Raises
    ------
    RunError
        Another one does, or the folder cannot be written.
    """
    place = out.with_name(f".{out.name}.lock")
    lock = FileLock(place, timeout=0)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise RunError(
            f"another process is scoring into {out}; wait for it, or give another --out"
        ) from error
    except OSError as error:
        raise cannot_write(out, error) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes it on release
            place.unlink()
        lock.release()


def _batches(lines: BinaryIO) -> Iterator[tuple[bytes, list[Outcome]]]:
    """Give whole lines and what they hold, up to the first that was cut off."""
    for line in lines:
        try:
            batch = [Outcome(*each) for each in json.loads(line)]
        except (ValueError, TypeError):
            return
        if not line.endswith(b"\n"):
            return
        yield line, batch
