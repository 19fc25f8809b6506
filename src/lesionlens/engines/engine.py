"""From crops to scores: the same contract whatever computes the network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from lesionlens.models.bundle import Card, Loaded
from lesionlens.models.voting import joined

EngineName = Literal["auto", "torch", "onnxruntime", "openvino"]
Precision = Literal["fp32", "bf16"]


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
    images: int,  # noqa: ARG001
) -> Engine:
    """Make a trained network ready to score images, on the device on which it was loaded.

    Parameters
    ----------
    name
        What computes.
    precision
        ``fp32``, or ``bf16``: faster where the machine has it, with scores that differ in the third digit.
    images
        How many are to be scored: whether preparing a faster engine pays.

    Raises
    ------
    EngineError
        The engine asked for cannot be had here.
    """
    from lesionlens.engines.torch_engine import torch_engine

    return torch_engine(loaded, precision=precision)
