"""What is scored so far, in a file beside the one it will become: a run that is stopped goes on from there."""

import errno
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from lesionlens.atomic import write_error, write_text
from lesionlens.scoring.origin import Provenance
from lesionlens.scoring.outcomes import ImageResult


def partial_path(out: Path) -> Path:
    """Say where the part of a file of predictions lies."""
    return out.with_name(f"{out.name}.part")


class PartialPredictions:
    """A file to which a line is added for each batch: whatever stops the process, whole lines are there."""

    def __init__(self, path: Path, provenance: Provenance, *, overwrite: bool) -> None:
        """Open a part of this origin, or begin a new one; a last line that was cut off is dropped.

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
