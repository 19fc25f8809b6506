"""ONNX Runtime computes a network on the processor, in float32."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lesionlens.engines.installed import import_optional
from lesionlens.errors import BackendError

SessionFn = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]
"""From images, or crops, to logits and whatever maps the file gives."""


def onnxruntime_session(file: Path) -> SessionFn:
    """Read a network, with every optimisation of the graph, on as many threads as torch has.

    Raises
    ------
    EngineError
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
