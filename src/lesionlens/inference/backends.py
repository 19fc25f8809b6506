"""ONNX Runtime computes a network on the processor, in float32."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lesionlens.core.errors import BackendError
from lesionlens.core.optional_packages import import_optional
from lesionlens.inference.engine import Precision

SessionFn = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]
"""From images, or crops, to logits and whatever maps the file gives."""


def onnxruntime_session(file: Path) -> SessionFn:
    """Read a network, with every optimisation of the graph, on as many threads as torch has.

    Raises
    ------
    BackendError
        ONNX Runtime is missing or cannot read the file.
    """
    onnxruntime = import_optional("onnxruntime")
    onnxruntime.disable_telemetry_events()  # Windows has some
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of its own, by no common name
        raise BackendError(f"ONNX Runtime cannot read {file}: {error}") from error
    name = session.get_inputs()[0].name

    def run(x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        found: list[NDArray[np.float32]] = session.run(None, {name: x})
        return found

    return run


OPENVINO_PRECISION_HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16"}


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which by default tells its makers of every import.

    Without the package ``openvino_telemetry`` it uses a stub of its own.

    Raises
    ------
    BackendError
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
    BackendError
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
