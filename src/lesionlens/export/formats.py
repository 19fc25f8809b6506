"""The three forms of an exported network: how each is written, and read again to be checked."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lesionlens.engines.file_engine import library_run
from lesionlens.engines.installed import need
from lesionlens.engines.onnxruntime_engine import Run
from lesionlens.engines.openvino_engine import import_openvino
from lesionlens.export.card import Target
from lesionlens.export.onnx_file import write_onnx
from lesionlens.export.program import Program

FILES: dict[Target, str] = {"onnx": "model.onnx", "openvino": "model.xml", "torch-export": "model.pt2"}
NEEDS: dict[Target, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
    "torch-export": (),
}


def write(found: Program, target: Target, folder: Path) -> Path:
    """Write a traced network; OpenVINO's weights lie beside its graph.

    Raises
    ------
    EngineError
        A package is missing, or the network cannot be expressed.
    """
    need(*NEEDS[target])
    file = folder / FILES[target]
    if target == "torch-export":
        torch.export.save(found.traced, file)
    elif target == "onnx":
        write_onnx(found, file)
    else:
        _write_openvino(found, file)
    return file


def read(file: Path, target: Target) -> Run:
    """Read what ``write`` wrote, to compute in float32."""
    if target == "torch-export":
        return _torch_run(file)
    return library_run(file, "onnxruntime" if target == "onnx" else "openvino", precision="fp32")


def _write_openvino(found: Program, file: Path) -> None:
    openvino = import_openvino()
    through = file.with_suffix(".onnx")
    write_onnx(found, through)
    openvino.save_model(openvino.Core().read_model(through), file, compress_to_fp16=False)
    through.unlink()


def _torch_run(file: Path) -> Run:
    network = torch.export.load(file).module()

    def run(x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            return [output.numpy() for output in network(torch.from_numpy(x))]

    return run
