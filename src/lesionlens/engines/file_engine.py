"""A network in a file, computed by another library than torch: compared with torch, then used."""

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from lesionlens.engines.cached import cached_onnx
from lesionlens.engines.engine import Precision, Scorer
from lesionlens.engines.installed import need
from lesionlens.engines.onnxruntime_engine import Run, onnxruntime_run
from lesionlens.engines.openvino_engine import openvino_run
from lesionlens.errors import EngineError
from lesionlens.export.difference import TOLERANCE, differences, expected
from lesionlens.export.program import example
from lesionlens.models.bundle import Card, Loaded

Library = Literal["onnxruntime", "openvino"]


def file_engine(loaded: Loaded, name: Library, *, precision: Precision) -> Scorer:
    """Let a library compute the network, exported to the cache.

    Raises
    ------
    EngineError
        The library or the precision cannot be had, the network cannot be exported, or in float32 it gives other
        numbers than torch.
    """
    need(name)
    if next(loaded.model.parameters()).device.type != "cpu":
        raise EngineError(f"{name} computes on the processor here: give device cpu, or engine torch")
    file = cached_onnx(loaded)
    run = library_run(file, name, precision=precision)
    if precision == "fp32":
        _check(loaded, run, file)
    return scorer(name, loaded.card, run, at_once=loaded.model.crops is not None)


def library_run(file: Path, name: Library, *, precision: Precision) -> Run:
    """Read a network's file.

    Raises
    ------
    EngineError
        The library cannot read it, or does not compute in that precision.
    """
    if name == "openvino":
        return openvino_run(file, precision=precision)
    if precision == "bf16":
        raise EngineError(
            "onnxruntime computes in fp32 on a processor; for bf16 give engine openvino or torch"
        )
    return onnxruntime_run(file)


def scorer(name: str, card: Card, run: Run, *, at_once: bool) -> Scorer:
    """Put our own work before and after what a library computes."""

    def logits_of(x: Tensor) -> Tensor:
        return torch.from_numpy(run(x.contiguous().numpy())[0])

    return Scorer(name, card, logits_of, at_once=at_once, device=torch.device("cpu"))


def _check(loaded: Loaded, run: Run, file: Path) -> None:
    x = example(loaded, 2)
    found = differences(run(x.numpy()), expected(loaded, x, maps=False), independent=loaded.card.independent)
    if max(found.values()) > TOLERANCE:
        raise EngineError(
            f"scores of {file} differ by {max(found.values()):.2g} from torch's, more than {TOLERANCE:g}. Remove the "
            "file, or give engine torch"
        )
