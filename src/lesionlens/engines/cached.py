"""A trained network as ONNX in the user's cache: exported once, found again by its content."""

import hashlib
from pathlib import Path

import torch

from lesionlens.alone import file_lock
from lesionlens.atomic import atomic_write
from lesionlens.data.store import default_cache_dir
from lesionlens.models.bundle import LoadedModel

ONNX_CACHE_VERSION = 1


def onnx_cache_path(loaded: LoadedModel) -> Path:
    """Name the file of a network: by its weights, its card, our format and torch's version."""
    digest = hashlib.sha256(f"{ONNX_CACHE_VERSION} {torch.__version__} {loaded.card.model_dump_json()}".encode())
    for key, value in loaded.model.state_dict().items():
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().numpy().data)
    return default_cache_dir() / "engines" / f"{digest.hexdigest()[:24]}.onnx"


def get_or_export_onnx(loaded: LoadedModel) -> Path:
    """Give a network's ONNX file, without maps, exporting it first if there is none; of two processes one waits.

    Raises
    ------
    EngineError
        It cannot be exported.
    RunError
        The cache cannot be written or locked.
    """
    from lesionlens.export.onnx_file import write_onnx
    from lesionlens.export.program import trace_model

    file = onnx_cache_path(loaded)
    if file.is_file():  # also where nothing can be written
        return file
    with file_lock(file.with_suffix(".lock"), on_wait=lambda: None):
        if not file.is_file():
            with atomic_write(file) as part:
                write_onnx(trace_model(loaded, maps=False), part)
    return file
