"""Inference with ONNX Runtime or OpenVINO: the model is exported once, cached, and verified against PyTorch."""

import hashlib
from pathlib import Path

import torch

from lesionlens.core.errors import BackendError
from lesionlens.core.fileio import atomic_write, default_cache_dir, file_lock
from lesionlens.core.optional_packages import require
from lesionlens.inference.backends import SessionFn
from lesionlens.inference.engine import InferenceEngine, Precision
from lesionlens.inference.session_engine import Runtime, engine_from_session, load_session
from lesionlens.inference.tracing import (
    OUTPUT_TOLERANCE,
    example_input,
    max_abs_errors,
    reference_outputs,
    trace_model,
    write_onnx,
)
from lesionlens.models.saved_model import LoadedModel

ONNX_CACHE_VERSION = 2


def open_onnx_engine(loaded: LoadedModel, name: Runtime, *, precision: Precision) -> InferenceEngine:
    """Prepare a model for inference with ONNX Runtime or OpenVINO, exporting it to the cache if necessary.

    Raises
    ------
    BackendError
        The library is not installed, does not support the precision or device, the model cannot be exported, or its
        float32 outputs differ from PyTorch's by more than ``OUTPUT_TOLERANCE``.
    """
    require(name)
    if next(loaded.model.parameters()).device.type != "cpu":
        raise BackendError(f"The engine {name} computes on the CPU only. Use device cpu, or engine torch")
    file = get_or_export_onnx(loaded)
    session = load_session(file, name, precision=precision)
    if precision == "fp32":
        _check_against_torch(loaded, session, file)
    return engine_from_session(
        name, session, loaded.card.preprocessing, multi_crop=loaded.model.num_crops is not None
    )


def onnx_cache_path(loaded: LoadedModel) -> Path:
    """Return the path of a model's cached ONNX file, which depends on its weights, card and the torch version."""
    digest = hashlib.sha256(
        f"{ONNX_CACHE_VERSION} {torch.__version__} {loaded.card.model_dump_json()}".encode()
    )
    for key, value in loaded.model.state_dict().items():
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().numpy().data)
    return default_cache_dir() / "engines" / f"{digest.hexdigest()[:24]}.onnx"


def get_or_export_onnx(loaded: LoadedModel) -> Path:
    """Return a model's cached ONNX file (logits and features), exporting it first if necessary.

    If two processes need the same file, one exports it and the other waits.

    Raises
    ------
    BackendError
        The model cannot be exported.
    RunError
        The cache directory cannot be written or locked.
    """
    file = onnx_cache_path(loaded)
    if file.is_file():  # first, so that a read-only cache can be used
        return file
    with file_lock(file.with_suffix(".lock"), on_wait=lambda: None):
        if not file.is_file():
            with atomic_write(file) as temporary:
                write_onnx(trace_model(loaded, maps=False), temporary)
    return file


def _check_against_torch(loaded: LoadedModel, session: SessionFn, file: Path) -> None:
    x = example_input(loaded, 2)
    errors = max_abs_errors(
        session(x.numpy()), reference_outputs(loaded, x, maps=False), multilabel=loaded.card.multilabel
    )
    if (largest := max(errors.values())) > OUTPUT_TOLERANCE:
        raise BackendError(
            f"Scores of {file} differ from PyTorch's by {largest:.2g}, more than {OUTPUT_TOLERANCE:g}. "
            "Delete the file, or use engine torch"
        )
