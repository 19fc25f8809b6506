"""The three forms of an exported network: how each is written, and read again to be checked."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lesionlens.engines.file_engine import load_session
from lesionlens.engines.installed import require
from lesionlens.engines.onnxruntime_engine import SessionFn
from lesionlens.engines.openvino_engine import import_openvino
from lesionlens.export.card import ExportFormat
from lesionlens.export.onnx_file import write_onnx
from lesionlens.export.program import ExportedModel

EXPORT_FILENAMES: dict[ExportFormat, str] = {"onnx": "model.onnx", "openvino": "model.xml", "torch-export": "model.pt2"}
REQUIRED_PACKAGES: dict[ExportFormat, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
    "torch-export": (),
}


def save_exported(exported: ExportedModel, export_format: ExportFormat, folder: Path) -> Path:
    """Write a traced network; OpenVINO's weights lie beside its graph.

    Raises
    ------
    EngineError
        A package is missing, or the network cannot be expressed.
    """
    require(*REQUIRED_PACKAGES[export_format])
    file = folder / EXPORT_FILENAMES[export_format]
    if export_format == "torch-export":
        torch.export.save(exported.program, file)
    elif export_format == "onnx":
        write_onnx(exported, file)
    else:
        _save_openvino(exported, file)
    return file


def load_exported(file: Path, export_format: ExportFormat) -> SessionFn:
    """Read what ``write`` wrote, to compute in float32."""
    if export_format == "torch-export":
        return _torch_session(file)
    return load_session(file, "onnxruntime" if export_format == "onnx" else "openvino", precision="fp32")


def _save_openvino(exported: ExportedModel, file: Path) -> None:
    openvino = import_openvino()
    through = file.with_suffix(".onnx")
    write_onnx(exported, through)
    openvino.save_model(openvino.Core().read_model(through), file, compress_to_fp16=False)
    through.unlink()


def _torch_session(file: Path) -> SessionFn:
    network = torch.export.load(file).module()

    def run(x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            return [output.numpy() for output in network(torch.from_numpy(x))]

    return run
