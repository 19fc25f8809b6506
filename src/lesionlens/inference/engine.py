"""The contract of an inference engine: preprocessed images in, logits and features out, whichever library computes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

EngineName = Literal["auto", "torch", "onnxruntime", "openvino"]
Precision = Literal["fp32", "bf16"]


class EngineOutput(NamedTuple):
    """Output for m images.

    Attributes
    ----------
    logits
        Logit of each class, (m, k).
    features
        Vector from which the last layer computes the logits, (m, f).
    """

    logits: Tensor
    features: Tensor


@dataclass(frozen=True)
class InferenceEngine:
    """A network that is ready to compute; use it from one thread at a time.

    Crops, test-time augmentation, normalization and aggregation happen outside, in ``inference.batch``.

    Attributes
    ----------
    name
        Library that computes: torch, onnxruntime or openvino.
    forward
        Map normalized images (m, 3, h, w) to logits (m, k) and features (m, f), or the crops of images (b, n, 3, h, w)
        to logits (b, k) and features (b, f).
    multi_crop
        Whether ``forward`` takes all crops of an image together.
    device
        Device on which ``forward`` expects its input.
    """

    name: str
    forward: Callable[[Tensor], EngineOutput]
    multi_crop: bool
    device: torch.device
