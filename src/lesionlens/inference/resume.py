"""Partial predictions on disk, from which an interrupted run resumes."""

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from lesionlens.core.errors import PredictionsError
from lesionlens.core.fileio import write_error, write_text
from lesionlens.inference.engine import EngineName, Precision
from lesionlens.inference.results import ImageResult
from lesionlens.models.export_card import EXPORT_CARD_FILE
from lesionlens.models.model_card import CARD_FILE, WEIGHTS_FILE
from lesionlens.uncertainty.calibration import ARRAYS_FILE, CALIBRATION_FILE

# of saved models and of exports, whose card has the digest of their file
HASHED_FILES = (WEIGHTS_FILE, CARD_FILE, CALIBRATION_FILE, ARRAYS_FILE, EXPORT_CARD_FILE)


class Provenance(BaseModel):
    """Provenance of partial predictions, stored as their first line; results of different provenance are never mixed.

    Attributes
    ----------
    model
        SHA-256 of the model's weights, card and calibration.
    engine, precision
        Inference engine and its precision.
    device
        Device type: cpu, cuda …
    decoder
        Version of our image decoding and of the libraries that it uses.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file_format: str = "predictions of lesionlens 3"  # version of the line format
    model: str
    engine: EngineName
    precision: Precision
    device: str
    decoder: str


def hash_model_files(folder: Path) -> str:
    """Return the SHA-256 of the weights, cards and calibration in the directory of a model or of an export."""
    digest = hashlib.sha256()
    for name in HASHED_FILES:
        file = folder / name
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()


def read_provenance(path: Path, requested: Provenance) -> Provenance | None:
    """Return the provenance of partial predictions, or None if there is no such file or no complete line of results.

    Raises
    ------
    PredictionsError
        The results come from another model, engine (``auto`` resumes with any), precision, device type or decoder; or
        the file is not a file of partial predictions.
    """
    if not path.exists():
        return None
    try:
        with path.open("rb") as stream:
            saved = Provenance.model_validate_json(stream.readline())
            has_results = stream.readline().endswith(b"\n")
    except (OSError, ValidationError) as error:
        raise PredictionsError(
            f"Cannot resume from {path}: not a valid partial result. Delete it, or use --restart"
        ) from error
    if not has_results:
        return None
    if differences := list(_describe_differences(saved, requested)):
        raise PredictionsError(
            f"{path} holds scores of {', '.join(differences)}, and scores are never mixed. Run the original command "
            "to resume, use --restart to discard them, or choose another --out"
        )
    return saved


def _describe_differences(saved: Provenance, requested: Provenance) -> Iterator[str]:
    for (name, was), (_, now) in zip(saved, requested, strict=True):
        if name == "model" and was != now:
            yield "another model (its weights, card or calibration differ)"
        elif was != now and (name, now) != ("engine", "auto"):
            yield f"{name} {was}, not {now}"


def partial_path(out: Path) -> Path:
    """Return the path of the partial predictions for an output file."""
    return out.with_name(f"{out.name}.partial")


class PartialPredictions:
    """A file that grows by one line per batch, so that complete lines survive any interruption."""

    def __init__(self, path: Path, provenance: Provenance, *, overwrite: bool) -> None:
        """Open a file of this provenance, or create one; an incomplete last line is dropped.

        Raises
        ------
        RunError
            The folder is not writable.
        """
        self.path = path
        if overwrite:
            write_text(path, provenance.model_dump_json() + "\n")
        try:
            self._stream: BinaryIO = path.open("r+b", buffering=0)
            with path.open("rb") as lines:
                self._header_size = len(lines.readline())
                complete = self._header_size + sum(len(line) for line, _ in _read_batches(lines))
            self._stream.truncate(complete)
            self._stream.seek(complete)
        except OSError as error:
            raise write_error(path, error) from error

    def read_results(self) -> Iterator[ImageResult]:
        """Yield the results of the images scored so far."""
        with self.path.open("rb") as lines:
            lines.seek(self._header_size)
            for _, batch in _read_batches(lines):
                yield from batch

    def add(self, batch: Sequence[ImageResult]) -> None:
        """Append the results of a batch, unbuffered, so that they survive the process.

        Raises
        ------
        RunError
            The disk is full or no longer available.
        """
        line = _format_line(batch)
        try:
            while line:  # a short write is followed by one that raises the reason
                line = line[self._stream.write(line) :]
        except OSError as error:
            raise write_error(self.path, error) from error

    def remove(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()


def _format_line(batch: Sequence[ImageResult]) -> bytes:
    """Return the results of a batch as JSON, after their CRC-32."""
    content = json.dumps(batch).encode()
    return b"%08x %s\n" % (zlib.crc32(content), content)


def _read_batches(stream: BinaryIO) -> Iterator[tuple[bytes, list[ImageResult]]]:
    """Yield complete lines with their results, up to the first one that is incomplete or damaged."""
    for line in stream:
        checksum, _, content = line.rstrip(b"\n").partition(b" ")
        if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(content):
            return
        yield line, [ImageResult(*row) for row in json.loads(content)]
