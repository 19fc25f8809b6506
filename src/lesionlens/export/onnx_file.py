"""A network as one ONNX file, weights inside."""

import warnings
from pathlib import Path

import torch

from lesionlens.engines.installed import require
from lesionlens.errors import BackendError
from lesionlens.export.program import ExportedModel, suppress_known_warnings, first_error_line


def write_onnx(exported: ExportedModel, file: Path) -> None:
    """Write a traced network; ``file`` may have any name.

    Raises
    ------
    EngineError
        The extra ``engines`` is missing, or torch cannot express the network in ONNX.
    """
    require("onnx", "onnxscript")
    try:
        with warnings.catch_warnings(), torch.no_grad():
            suppress_known_warnings()
            made = torch.onnx.export(
                exported.program,
                dynamo=True,
                input_names=[exported.input_name],
                output_names=list(exported.output_names),
                verbose=False,
            )
        assert made is not None
        content = made.model_proto.SerializeToString()
    except Exception as error:  # whatever the exporter cannot express
        raise BackendError(f"this network cannot be written as ONNX: {first_error_line(error)}") from error
    file.write_bytes(content)
