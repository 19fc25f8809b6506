"""A trained network as ONNX in the user's cache: exported once, found again by its content."""

import hashlib
from pathlib import Path

import torch

from lesionlens.alone import alone
from lesionlens.atomic import replacing
from lesionlens.data.store import default_folder
from lesionlens.models.bundle import Loaded

FORMAT = 1


def cached_file(loaded: Loaded) -> Path:
    """Name the file of a network: by its weights, its card, our format and torch's version."""
    digest = hashlib.sha256(f"{FORMAT} {torch.__version__} {loaded.card.model_dump_json()}".encode())
    for key, value in loaded.model.state_dict().items():
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().numpy().data)
    return default_folder() / "engines" / f"{digest.hexdigest()[:24]}.onnx"


def cached_onnx(loaded: Loaded) -> Path:
    """Give a network's ONNX file, without maps, exporting it first if there is none; of two processes one waits.

    Raises
    ------
    EngineError
        It cannot be exported.
    RunError
        The cache cannot be written or locked.
    """
    from lesionlens.export.onnx_file import write_onnx
    from lesionlens.export.program import program

    file = cached_file(loaded)
    if file.is_file():  # also where nothing can be written
        return file
    with alone(file.with_suffix(".lock"), waiting=lambda: None):
        if not file.is_file():
            with replacing(file) as part:
                write_onnx(program(loaded, maps=False), part)
    return file
