"""From crops to scores: the same contract whatever computes the network."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from lesionlens.cores import cores
from lesionlens.engines.installed import missing
from lesionlens.errors import EngineError, LesionLensError, unknown
from lesionlens.models.bundle import Card, Loaded
from lesionlens.models.voting import joined, orientation_count

EngineName = Literal["auto", "torch", "onnxruntime", "openvino"]
Precision = Literal["fp32", "bf16"]
# Images, crops and turns counted singly. Measured on two cores in float32, 32 at once: OpenVINO gained what exporting
# took on 900 (ResNet-50), 4,400 (DenseNet-121) and 5,200 of them (MobileNet-v2), what reading an export took on 80 to
# 700; on ResNet-18 and VGG-16 it gained next to nothing.
PAYS_FROM, PAYS_AGAIN_FROM = 5_000, 700


class Engine(Protocol):
    """From crops to scores; to be used by one thread at a time."""

    @property
    def name(self) -> str:
        """Say what computes: torch, onnxruntime or openvino."""

    def scores(self, crops: UInt8[np.ndarray, "b n h w 3"]) -> NDArray[np.float64]:
        """Score b images by their n crops each, joined over crops and turns as on the card: (b, k)."""


@dataclass(frozen=True)
class Scorer:
    """An engine around whatever computes logits: normalises, turns and joins as in training.

    Attributes
    ----------
    card
        Says how.
    logits_of
        From normalised images (m, 3, h, w), or from crops (b, n, 3, h, w), to logits.
    at_once
        Whether it takes all crops of an image at once.
    device
        Where it takes them.
    """

    name: str
    card: Card
    logits_of: Callable[[Tensor], Tensor]
    at_once: bool
    device: torch.device

    def scores(self, crops: UInt8[np.ndarray, "b n h w 3"]) -> NDArray[np.float64]:
        """Score b images by their n crops each, (b, k), in double precision."""
        seen = self.card.preprocessing
        with torch.inference_mode():
            x = seen.normalised(torch.from_numpy(crops).to(self.device).flatten(0, 1))
            found = joined(
                self.logits_of,
                x.reshape(*crops.shape[:2], *x.shape[1:]),
                at_once=self.at_once,
                turns=seen.turns,
                average=seen.average,
                independent=self.card.independent,
            )
        return found.numpy()


def open_engine(
    loaded: Loaded,
    name: EngineName = "auto",
    *,
    precision: Precision = "fp32",
    images: int,
    threads: int | None = None,
) -> Engine:
    """Make a trained network ready to score images, on the device on which it was loaded.

    Parameters
    ----------
    name
        What computes. ``auto``: OpenVINO on a processor where it is installed and so many images are to be scored that
        it pays, fewer where the network was exported before; else torch.
    precision
        ``fp32``: all engines agree within 1e-4. ``bf16``: faster where the machine has it, with scores up to 0.2
        apart (MobileNet-v2 on photographs): compare first, as ``lesionlens export --check`` does.
    images
        How many are to be scored: whether exporting the network pays.
    threads
        How many compute, here and in all that torch computes in this process from then on. Default: torch's, at most
        one for each core that this process may use.

    Raises
    ------
    EngineError
        The engine does not exist, or cannot be had here; ``auto`` falls back on torch, with a warning.
    """
    from lesionlens.engines.file_engine import file_engine
    from lesionlens.engines.torch_engine import torch_engine

    if name not in get_args(EngineName):
        raise EngineError(unknown("engine", name, get_args(EngineName)))
    if precision not in get_args(Precision):
        raise EngineError(unknown("precision", precision, get_args(Precision)))
    # torch does not see the quota of a container
    torch.set_num_threads(threads or min(torch.get_num_threads(), cores()))
    if name in ("onnxruntime", "openvino"):
        return file_engine(loaded, name, precision=precision)
    if name == "auto" and _pays(loaded, images):
        try:
            return file_engine(loaded, "openvino", precision=precision)
        except LesionLensError as error:
            warnings.warn(f"torch computes, not OpenVINO, which would be faster: {error}", stacklevel=2)
    return torch_engine(loaded, precision=precision)


def _pays(loaded: Loaded, images: int) -> bool:
    """Say whether OpenVINO gains more than preparing it takes; it takes less where the network was exported before."""
    from lesionlens.engines.cached import cached_file

    on_cpu = next(loaded.model.parameters()).device.type == "cpu"
    if not on_cpu or missing("openvino", "onnx", "onnxscript"):
        return False
    seen = loaded.card.preprocessing
    passes = images * seen.crop_count * orientation_count(seen.turns)
    return passes >= PAYS_FROM or (passes >= PAYS_AGAIN_FROM and cached_file(loaded).is_file())
