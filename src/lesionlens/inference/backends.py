"""Sessions of ONNX Runtime and OpenVINO: functions of arrays that compute an exported network on the CPU."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import BackendError
from lesionlens.core.optional_packages import import_optional
from lesionlens.core.runtime import get_num_threads
from lesionlens.inference.engine import Precision

SessionFn = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]
"""Map images (m, 3, h, w), or crops (b, n, 3, h, w), to the outputs of the file: logits, features and maps if any."""


def onnxruntime_session(file: Path) -> SessionFn:
    """Load a network in ONNX Runtime, float32, with all graph optimizations and the number of threads of this process.

    Raises
    ------
    BackendError
        ONNX Runtime is not installed or cannot read the file.
    """
    onnxruntime = import_optional("onnxruntime")
    onnxruntime.disable_telemetry_events()  # Windows builds have telemetry
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = get_num_threads()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises exceptions without a common base class
        raise BackendError(f"ONNX Runtime cannot read {file}: {error}") from error
    name = session.get_inputs()[0].name

    def run(x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        outputs: list[NDArray[np.float32]] = session.run(None, {name: x})
        return outputs

    return run


OPENVINO_PRECISION_HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16"}


def import_openvino() -> Any:
    """Import OpenVINO with its telemetry disabled, which otherwise reports every import to its maker.

    If the package ``openvino_telemetry`` cannot be imported, OpenVINO uses a stub.

    Raises
    ------
    BackendError
        OpenVINO is not installed or cannot be imported.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return import_optional("openvino")


def openvino_supports_bf16() -> bool:
    """Return whether OpenVINO supports bf16 on this CPU."""
    return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def openvino_session(file: Path, *, precision: Precision) -> SessionFn:
    """Load a network (ONNX or OpenVINO format) in OpenVINO; all threads of this process compute one batch.

    Raises
    ------
    BackendError
        OpenVINO is not installed or cannot read the file, or the CPU does not support bf16.
    """
    core = import_openvino().Core()
    if precision == "bf16" and not openvino_supports_bf16():
        raise BackendError("This CPU does not support bf16. Use precision fp32")
    settings = {
        "INFERENCE_PRECISION_HINT": OPENVINO_PRECISION_HINTS[precision],
        "PERFORMANCE_HINT": "LATENCY",  # batches arrive one by one, so all threads work on one
        "INFERENCE_NUM_THREADS": get_num_threads(),
    }
    try:
        compiled = core.compile_model(core.read_model(file), "CPU", settings)
    except RuntimeError as error:
        raise BackendError(f"OpenVINO cannot read {file}: {error}") from error

    def run(x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        outputs = compiled(x)
        return [outputs[output].copy() for output in compiled.outputs]

    return run
