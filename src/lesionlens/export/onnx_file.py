"""A network as one ONNX file, weights inside."""

import warnings
from pathlib import Path

import torch

from lesionlens.engines.installed import need
from lesionlens.errors import EngineError
from lesionlens.export.program import Program, quiet, reason


def write_onnx(found: Program, file: Path) -> None:
    """Write a traced network; ``file`` may have any name.

    Raises
    ------
    EngineError
        The extra ``engines`` is missing, or torch cannot express the network in ONNX.
    """
    need("onnx", "onnxscript")
    try:
        with warnings.catch_warnings(), torch.no_grad():
            quiet()
            made = torch.onnx.export(
                found.traced,
                dynamo=True,
                input_names=[found.input],
                output_names=list(found.outputs),
                verbose=False,
            )
        assert made is not None
        content = made.model_proto.SerializeToString()
    except Exception as error:  # whatever the exporter cannot express
        raise EngineError(f"this network cannot be written as ONNX: {reason(error)}") from error
    file.write_bytes(content)
