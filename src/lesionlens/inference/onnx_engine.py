"""A network in a file, computed by another library than torch: compared with torch, then used."""

import hashlib
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from lesionlens.core.errors import BackendError
from lesionlens.core.fileio import atomic_write, default_cache_dir, file_lock
from lesionlens.core.optional_packages import require
from lesionlens.inference.backends import SessionFn, onnxruntime_session, openvino_session
from lesionlens.inference.engine import InferenceEngine, Precision
from lesionlens.inference.tracing import OUTPUT_TOLERANCE, example_input, max_abs_errors, reference_outputs
from lesionlens.models.saved_model import LoadedModel, ModelCard

ONNX_CACHE_VERSION = 1


def onnx_cache_path(loaded: LoadedModel) -> Path:
    """Name the file of a network: by its weights, its card, our format and torch's version."""
    digest = hashlib.sha256(
        f"{ONNX_CACHE_VERSION} {torch.__version__} {loaded.card.model_dump_json()}".encode()
    )
    for key, value in loaded.model.state_dict().items():
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().numpy().data)
    return default_cache_dir() / "engines" / f"{digest.hexdigest()[:24]}.onnx"


def get_or_export_onnx(loaded: LoadedModel) -> Path:
    """Give a network's ONNX file, without maps, exporting it first if there is none; of two processes one waits.

    Raises
    ------
    BackendError
        It cannot be exported.
    RunError
        The cache cannot be written or locked.
    """
    from lesionlens.inference.tracing import trace_model, write_onnx

    file = onnx_cache_path(loaded)
    if file.is_file():  # also where nothing can be written
        return file
    with file_lock(file.with_suffix(".lock")):
        if not file.is_file():
            with atomic_write(file) as part:
                write_onnx(trace_model(loaded, maps=False), part)
    return file


Runtime = Literal["onnxruntime", "openvino"]


def open_onnx_engine(loaded: LoadedModel, name: Runtime, *, precision: Precision) -> InferenceEngine:
    """Let a library compute the network, exported to the cache.

    Raises
    ------
    BackendError
        The library or the precision cannot be had, the network cannot be exported, or in float32 it gives other
        numbers than torch.
    """
    require(name)
    if next(loaded.model.parameters()).device.type != "cpu":
        raise BackendError(f"{name} computes on the processor here: give device cpu, or engine torch")
    file = get_or_export_onnx(loaded)
    run = load_session(file, name, precision=precision)
    if precision == "fp32":
        _check_against_torch(loaded, run, file)
    return adapt_session(name, loaded.card, run, multi_crop=loaded.model.num_crops is not None)


def load_session(file: Path, name: Runtime, *, precision: Precision) -> SessionFn:
    """Read a network's file.

    Raises
    ------
    BackendError
        The library cannot read it, or does not compute in that precision.
    """
    if name == "openvino":
        return openvino_session(file, precision=precision)
    if precision == "bf16":
        raise BackendError(
            "onnxruntime computes in fp32 on a processor; for bf16 give engine openvino or torch"
        )
    return onnxruntime_session(file)


def adapt_session(name: str, card: ModelCard, session: SessionFn, *, multi_crop: bool) -> InferenceEngine:
    """Put our own work before and after what a library computes."""

    def logits_of(x: Tensor) -> Tensor:
        return torch.from_numpy(session(x.contiguous().numpy())[0])

    return InferenceEngine(name, card, logits_of, multi_crop=multi_crop, device=torch.device("cpu"))


def _check_against_torch(loaded: LoadedModel, session: SessionFn, file: Path) -> None:
    x = example_input(loaded, 2)
    found = max_abs_errors(
        session(x.numpy()), reference_outputs(loaded, x, maps=False), multilabel=loaded.card.multilabel
    )
    if max(found.values()) > OUTPUT_TOLERANCE:
        raise BackendError(
            f"scores of {file} differ by {max(found.values()):.2g} from torch's, more than "
            f"{OUTPUT_TOLERANCE:g}. Remove the file, or give engine torch"
        )
