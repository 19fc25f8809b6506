"""OpenVINO computes a network on the processor, in float32 or bf16; nothing is sent anywhere."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lesionlens.engines.engine import Precision
from lesionlens.engines.installed import import_optional
from lesionlens.engines.onnxruntime_engine import SessionFn
from lesionlens.errors import BackendError

OPENVINO_PRECISION_HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16"}


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which by default tells its makers of every import.

    Without the package ``openvino_telemetry`` it uses a stub of its own.

    Raises
    ------
    EngineError
        It is not installed, or is broken.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return import_optional("openvino")


def openvino_supports_bf16() -> bool:
    """Say whether OpenVINO computes in bf16 on this processor."""
    return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def openvino_session(file: Path, *, precision: Precision) -> SessionFn:
    """Read a network (ONNX, or OpenVINO's own) on as many threads as torch has, all for one batch at a time.

    Raises
    ------
    EngineError
        OpenVINO is missing or cannot read the file, or the processor has no bf16.
    """
    core = import_openvino().Core()
    if precision == "bf16" and not openvino_supports_bf16():
        raise BackendError("this processor has no bf16; give precision fp32")
    settings = {
        "INFERENCE_PRECISION_HINT": OPENVINO_PRECISION_HINTS[precision],
        "PERFORMANCE_HINT": "LATENCY",  # all threads on one batch: batches come one by one
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    try:
        compiled = core.compile_model(core.read_model(file), "CPU", settings)
    except RuntimeError as error:
        raise BackendError(f"OpenVINO cannot read {file}: {error}") from error

    def run(x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        found = compiled(x)
        return [found[output].copy() for output in compiled.outputs]

    return run
