"""A network as a function of tensors alone: images to logits and, by name, attention maps."""

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
"""What torch warns of in its own code when a recurrent layer is traced."""


class ExportedModel(NamedTuple):
    """A traced network; the number of images is free, their size is not.

    Attributes
    ----------
    input_name
        ``images`` (b, 3, h, w), or ``crops`` (b, n, 3, h, w) for a network of crops.
    output_names
        ``logits`` and, where asked for, ``map <name>`` of each map.
    """

    program: ExportedProgram
    input_name: str
    output_names: tuple[str, ...]


class TupleOutput(nn.Module):
    """A network whose record is laid out as a tuple: logits, then maps."""

    def __init__(self, network: nn.Module, *, maps: bool) -> None:
        super().__init__()
        self.network, self.maps = network, maps

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Give logits, then maps in the network's order."""
        found = self.network(x, maps=self.maps)
        return (found.logits, *found.maps.values())


def example_input(loaded: LoadedModel, batch_size: int) -> Tensor:
    """Draw inputs of the shape that the card says, the same each time: images, or crops where all go in at once."""
    seen = loaded.card.preprocessing
    crops = [] if loaded.model.num_crops is None else [seen.crop_count]
    drawn = torch.Generator().manual_seed(batch_size)
    return torch.randn(batch_size, *crops, 3, *seen.input_size, generator=drawn)


def as_tuple_model(loaded: LoadedModel, *, maps: bool) -> nn.Module:
    """Give the network as a function to a tuple, in eval mode."""
    return TupleOutput(loaded.model, maps=maps).eval()


def trace_model(loaded: LoadedModel, *, maps: bool) -> ExportedModel:
    """Trace a network on the processor.

    Raises
    ------
    BackendError
        Torch cannot trace it.
    """
    network, x = as_tuple_model(loaded, maps=maps), example_input(loaded, 2)
    with torch.no_grad():
        names = list(loaded.model(x, maps=maps).maps)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            suppress_known_warnings()
            traced = torch.export.export(network, (x,), dynamic_shapes=({0: Dim("batch")},))
    except Exception as error:  # whatever torch cannot follow
        raise BackendError(f"torch cannot trace this network: {first_error_line(error)}") from error
    kind = "images" if loaded.model.num_crops is None else "crops"
    return ExportedModel(traced, kind, ("logits", *(f"map {name}" for name in names)))


def suppress_known_warnings() -> None:
    """Pass over what torch is known to warn of in its own code; within ``catch_warnings``."""
    for message in KNOWN_WARNINGS:
        warnings.filterwarnings("ignore", message)


def first_error_line(error: BaseException) -> str:
    """Give the first line of what was first to fail."""
    while error.__cause__ is not None:
        error = error.__cause__
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def write_onnx(exported: ExportedModel, file: Path) -> None:
    """Write a traced network; ``file`` may have any name.

    Raises
    ------
    BackendError
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


OUTPUT_TOLERANCE = 1e-4


def reference_outputs(loaded: LoadedModel, x: Tensor, *, maps: bool) -> dict[str, Tensor]:
    """Compute logits and maps with torch, by the names of an export."""
    with torch.inference_mode():
        found = loaded.model(x, maps=maps)
    return {"logits": found.logits, **{f"map {name}": values for name, values in found.maps.items()}}


def max_abs_errors(
    outputs: Sequence[NDArray[Any]], reference: dict[str, Tensor], *, multilabel: bool
) -> dict[str, float]:
    """Give the largest difference of the scores, of the logits and of each map, float32 or wider.

    That of the logits is in units of the largest of them, where that is above 1.
    """
    logits, by_torch = outputs[0].astype(np.float64), reference["logits"].double().numpy()
    scores = [_scores_from_logits(values, multilabel) for values in (logits, by_torch)]
    apart = {
        "scores": _max_abs_diff(*scores),
        "logits": _max_abs_diff(logits, by_torch) / max(1.0, np.abs(by_torch).max()),
    }
    maps = zip(list(reference.items())[1:], outputs[1:], strict=True)
    return apart | {name: _max_abs_diff(values.double().numpy(), ours) for (name, values), ours in maps}


def _scores_from_logits(logits: NDArray[np.float64], multilabel: bool) -> NDArray[np.float64]:
    x = torch.from_numpy(logits)
    found: NDArray[np.float64] = (x.sigmoid() if multilabel else x.softmax(dim=-1)).numpy()
    return found


def _max_abs_diff(a: NDArray[Any], b: NDArray[Any]) -> float:
    """NaN counts as infinitely far."""
    largest = float(np.abs(a - b).max())
    return largest if np.isfinite(largest) else float("inf")
