"""The contract of an inference engine: crops in, logits and features out, whichever library computes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

EngineName = Literal["auto", "torch", "onnxruntime", "openvino"]
Precision = Literal["fp32", "bf16"]


class EngineOutput(NamedTuple):
    """Output for m images, in single precision.

    Attributes
    ----------
    logits
        Logit of each class, (m, k).
    features
        Vector from which the last layer computes the logits, (m, f).
    """

    logits: NDArray[np.float32]
    features: NDArray[np.float32]


@dataclass(frozen=True)
class InferenceEngine:
    """A network that is ready to compute; use it from one thread at a time.

    Crops, test-time augmentation and aggregation happen outside, in ``inference.batch``.

    Attributes
    ----------
    name
        Library that computes: torch, onnxruntime or openvino.
    forward
        Normalize crops of type uint8 (m, h, w, 3), and map them to logits (m, k) and features (m, f); or all n crops of
        images (b, n, h, w, 3) to logits (b, k) and features (b, f).
    multi_crop
        Whether ``forward`` takes all crops of an image together.
    """

    name: str
    forward: Callable[[NDArray[np.uint8]], EngineOutput]
    multi_crop: bool
