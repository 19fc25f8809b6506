"""Inference with a file that ONNX Runtime or OpenVINO computes. No torch is imported."""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import BackendError
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.backends import SessionFn, onnxruntime_session, openvino_session
from lesionlens.inference.engine import EngineOutput, InferenceEngine, Precision

Runtime = Literal["onnxruntime", "openvino"]


def load_session(file: Path, name: Runtime, *, precision: Precision) -> SessionFn:
    """Load an ONNX file with a runtime.

    Raises
    ------
    BackendError
        The runtime cannot read the file or does not support the precision.
    """
    if name == "openvino":
        return openvino_session(file, precision=precision)
    if precision == "bf16":
        raise BackendError(
            "ONNX Runtime has no bf16 on the CPU. Use engine openvino or torch, or precision fp32"
        )
    return onnxruntime_session(file)


def engine_from_session(
    name: str, session: SessionFn, preprocessing: Preprocessing, *, multi_crop: bool
) -> InferenceEngine:
    """Wrap a runtime session, whose first outputs are logits and features, as an inference engine."""

    def forward(crops: NDArray[np.uint8]) -> EngineOutput:
        x = preprocessing.normalize_array(crops.reshape(-1, *crops.shape[-3:]))
        logits, features, *_ = session(x.reshape(*crops.shape[:-3], *x.shape[1:]))
        return EngineOutput(logits, features)

    return InferenceEngine(name, forward, multi_crop=multi_crop)
