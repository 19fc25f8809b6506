"""Whose scores a part holds: a model's, by an engine, in a precision; those of different origins are never mixed."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from lesionlens.engines.engine import EngineName, Precision
from lesionlens.errors import PredictionsError
from lesionlens.models.bundle import find_model_dir

HASHED_FILES = ("model.safetensors", "card.json")


class Provenance(BaseModel):
    """Whose scores a part holds: its first line. Scores of different origins never come into one file.

    Attributes
    ----------
    model
        SHA-256 of the bundle's weights and card.
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
    """Give the SHA-256 of a bundle's weights and card."""
    found = hashlib.sha256()
    for name in HASHED_FILES:
        found.update((find_model_dir(Path(model_dir)) / name).read_bytes())
    return found.hexdigest()


def read_provenance(path: Path, requested: Provenance) -> Provenance | None:
    """Tell whose scores a part holds; None where there is no part, or no whole line of scores in it.

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
            f"{path} is nothing that scoring can go on from; remove it, or give --fresh to start anew"
        ) from error
    if not scored:
        return None
    told = list(_describe_differences(before, requested))
    if told:
        raise PredictionsError(
            f"{path} holds scores of {', '.join(told)}; they are never mixed. Give the first command again to go on, "
            "--fresh to throw them away, or another --out"
        )
    return before


def _describe_differences(saved: Provenance, requested: Provenance) -> Iterator[str]:
    for (name, was), (_, now) in zip(saved, requested, strict=True):
        if name == "model" and was != now:
            yield "another model (its weights or card differ)"
        elif was != now and (name, now) != ("engine", "auto"):
            yield f"{name} {was}, not {now}"
