"""Trace networks for export: functions of tensors that return logits, features and attention maps."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from lesionlens.core.errors import BackendError
from lesionlens.core.optional_packages import require
from lesionlens.models.saved_model import LoadedModel

KNOWN_WARNINGS = (
    "_check_is_size will be removed",
    "The tensor attributes .*_flat_weights",
    "The .grad attribute of a Tensor that is not a leaf",
)
"""Warnings that torch raises in its own code when it traces a recurrent layer."""


class ExportedModel(NamedTuple):
    """A traced network with a dynamic batch size and a fixed image size.

    Attributes
    ----------
    input_name
        ``images`` (b, 3, h, w), or ``crops`` (b, n, 3, h, w) for a multi-crop network.
    output_names
        ``logits``, ``features``, then ``map <name>`` for each attention map if requested.
    """

    program: ExportedProgram
    input_name: str
    output_names: tuple[str, ...]


class TupleOutput(nn.Module):
    """Wraps a network so that it returns a tuple: logits, features, then attention maps."""

    def __init__(self, network: nn.Module, *, maps: bool) -> None:
        super().__init__()
        self.network, self.maps = network, maps

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return logits, features, then attention maps in the network's order."""
        output = self.network(x, maps=self.maps)
        return (output.logits, output.features, *output.maps.values())


def example_input(loaded: LoadedModel, batch_size: int) -> Tensor:
    """Return seeded random inputs: images (b, 3, h, w), or crops (b, n, 3, h, w) for a multi-crop network."""
    preprocessing = loaded.card.preprocessing
    crops = [] if loaded.model.num_crops is None else [preprocessing.crop_count]
    generator = torch.Generator().manual_seed(batch_size)
    return torch.randn(batch_size, *crops, 3, *preprocessing.input_size, generator=generator)


def as_tuple_model(loaded: LoadedModel, *, maps: bool) -> nn.Module:
    """Wrap a network so that it returns a tuple, in eval mode."""
    return TupleOutput(loaded.model, maps=maps).eval()


def trace_model(loaded: LoadedModel, *, maps: bool) -> ExportedModel:
    """Trace a network on the CPU.

    Raises
    ------
    BackendError
        Torch cannot trace the network.
    """
    network, x = as_tuple_model(loaded, maps=maps), example_input(loaded, 2)
    with torch.no_grad():
        names = list(loaded.model(x, maps=maps).maps)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            suppress_known_warnings()
            traced = torch.export.export(network, (x,), dynamic_shapes=({0: Dim("batch")},))
    except Exception as error:  # torch.export documents no exception types
        raise BackendError(f"PyTorch cannot trace this network: {first_error_line(error)}") from error
    kind = "images" if loaded.model.num_crops is None else "crops"
    return ExportedModel(traced, kind, ("logits", "features", *(f"map {name}" for name in names)))


def suppress_known_warnings() -> None:
    """Ignore warnings that torch is known to raise in its own code; call within ``catch_warnings``."""
    for message in KNOWN_WARNINGS:
        warnings.filterwarnings("ignore", message)


def first_error_line(error: BaseException) -> str:
    """Return the first line of the original error's message."""
    while error.__cause__ is not None:
        error = error.__cause__
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def write_onnx(exported: ExportedModel, file: Path) -> None:
    """Write a traced network as ONNX; ``file`` may have any suffix.

    Raises
    ------
    BackendError
        The extra ``engines`` is not installed, or the network cannot be expressed in ONNX.
    """
    require("onnx", "onnxscript")
    try:
        with warnings.catch_warnings(), torch.no_grad():
            suppress_known_warnings()
            onnx_program = torch.onnx.export(
                exported.program,
                dynamo=True,
                input_names=[exported.input_name],
                output_names=list(exported.output_names),
                verbose=False,
            )
        assert onnx_program is not None
        content = onnx_program.model_proto.SerializeToString()
    except Exception as error:  # the exporter documents no exception types
        raise BackendError(f"this network cannot be written as ONNX: {first_error_line(error)}") from error
    file.write_bytes(content)


OUTPUT_TOLERANCE = 1e-4


def reference_outputs(loaded: LoadedModel, x: Tensor, *, maps: bool) -> dict[str, Tensor]:
    """Return PyTorch's logits, features and attention maps, keyed by the output names of an export."""
    with torch.inference_mode():
        output = loaded.model(x, maps=maps)
    vectors = {"logits": output.logits, "features": output.features}
    return {**vectors, **{f"map {name}": values for name, values in output.maps.items()}}


def max_abs_errors(
    outputs: Sequence[NDArray[Any]], reference: dict[str, Tensor], *, multilabel: bool
) -> dict[str, float]:
    """Return the largest absolute difference of scores, logits, features and each map, computed in float64.

    Those of logits and features are relative to the largest logit and the largest feature if these exceed 1.
    """
    logits, torch_logits = outputs[0].astype(np.float64), reference["logits"].double().numpy()
    features, torch_features = outputs[1].astype(np.float64), reference["features"].double().numpy()
    scores = [_scores_from_logits(values, multilabel) for values in (logits, torch_logits)]
    errors = {
        "scores": _max_abs_diff(*scores),
        "logits": _max_abs_diff(logits, torch_logits) / max(1.0, np.abs(torch_logits).max()),
        "features": _max_abs_diff(features, torch_features) / max(1.0, np.abs(torch_features).max()),
    }
    maps = zip(list(reference.items())[2:], outputs[2:], strict=True)
    return errors | {name: _max_abs_diff(values.double().numpy(), array) for (name, values), array in maps}


def _scores_from_logits(logits: NDArray[np.float64], multilabel: bool) -> NDArray[np.float64]:
    x = torch.from_numpy(logits)
    scores: NDArray[np.float64] = (x.sigmoid() if multilabel else x.softmax(dim=-1)).numpy()
    return scores


def _max_abs_diff(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the largest absolute difference; infinity if any value is NaN."""
    largest = float(np.abs(a - b).max())
    return largest if np.isfinite(largest) else float("inf")
