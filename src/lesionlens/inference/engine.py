"""From crops to scores: the same contract whatever computes the network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from lesionlens.models.saved_model import ModelCard
from lesionlens.models.tta import aggregate_logits

EngineName = Literal["auto", "torch", "onnxruntime", "openvino"]
Precision = Literal["fp32", "bf16"]


class Engine(Protocol):
    """From crops to scores; to be used by one thread at a time."""

    @property
    def name(self) -> str:
        """Say what computes: torch, onnxruntime or openvino."""

    def predict_scores(self, crops: UInt8[np.ndarray, "b n h w 3"]) -> NDArray[np.float64]:
        """Score b images by their n crops each, joined over crops and turns as on the card: (b, k)."""


@dataclass(frozen=True)
class InferenceEngine:
    """An engine around whatever computes logits: normalises, turns and joins as in training.

    Attributes
    ----------
    card
        Says how.
    forward
        From normalised images (m, 3, h, w), or from crops (b, n, 3, h, w), to logits.
    multi_crop
        Whether it takes all crops of an image at once.
    device
        Where it takes them.
    """

    name: str
    card: ModelCard
    forward: Callable[[Tensor], Tensor]
    multi_crop: bool
    device: torch.device

    def predict_scores(self, crops: UInt8[np.ndarray, "b n h w 3"]) -> NDArray[np.float64]:
        """Score b images by their n crops each, (b, k), in double precision."""
        seen = self.card.preprocessing
        with torch.inference_mode():
            x = seen.normalize(torch.from_numpy(crops).to(self.device).flatten(0, 1))
            found = aggregate_logits(
                self.forward,
                x.reshape(*crops.shape[:2], *x.shape[1:]),
                multi_crop=self.multi_crop,
                tta=seen.tta,
                aggregate=seen.aggregate,
                multilabel=self.card.multilabel,
            )
        return found.numpy()
