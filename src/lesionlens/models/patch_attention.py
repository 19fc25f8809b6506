"""All crops of an image through one network, joined by patch attention, a recurrent layer or an average.

Source: Gessert et al. 2019, section II-E: attention before the network, after its pooling, or both; the recurrent layer
and the average of single crops ("Multi-Crop") are its baselines. Where paper and code differ we follow the code: it
averages the crops' logits where attention is trained, their probabilities in the Multi-Crop baseline.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.models.attention.patch import PatchAttention, PatchAttentionOutput
from lesionlens.models.backbone import init_head_near_zero
from lesionlens.models.base import Classifier, Features
from lesionlens.models.types import Crops, Logits, ModelOutput

GRU_HIDDEN_SIZE = 1024


def log_mean_softmax(logits: Float[Tensor, "b n k"]) -> Logits:
    """Give logits whose softmax is the average of the crops' probabilities."""
    wide = torch.promote_types(logits.dtype, torch.float32)  # under autocast too
    return logits.log_softmax(dim=2, dtype=wide).logsumexp(dim=1) - math.log(logits.shape[1])


def mean_logits(logits: Float[Tensor, "b n k"]) -> Logits:
    """Give the average of the crops' logits."""
    return logits.mean(dim=1)


CROP_AVERAGES: dict[str, Callable[[Tensor], Tensor]] = {
    "logits": mean_logits,
    "probabilities": log_mean_softmax,
}


class GRUHead(nn.Module):
    """Read the crops' vectors one after another; the last state gives the scores.

    The width of the recurrent layer is that of the authors' code.

    Parameters
    ----------
    num_features
        Length f of a crop's vector.
    num_classes
        Number of classes k.
    """

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.gru = nn.GRU(num_features, GRU_HIDDEN_SIZE, batch_first=True)
        self.head = nn.Linear(GRU_HIDDEN_SIZE, num_classes)
        init_head_near_zero(self.head)

    def forward(self, vectors: Float[Tensor, "b n f"]) -> Logits:
        """Give logits."""
        states, _ = self.gru(vectors)
        logits: Tensor = self.head(states[:, -1])
        return logits


DEFAULT_NUM_CROPS = 9
PATCH_KWARGS = frozenset({"crops", "initial", "end", "combine", "average", "patch_dropout"})
CROP_AGGREGATORS = ("average", "gru")


class PatchAttentionNet(Classifier):
    """A network of crops around one of images.

    Parameters
    ----------
    inner
        The network that sees each crop: plain, or with a mechanism of its own.
    num_classes
        Number of classes k, the inner network's.
    crops
        Number of crops n of an image. Attention layers are built for it; without them any number is taken.
    initial, end
        Attention on the raw crops, and on their vectors after pooling. The initial one sees brightness, so crops must
        come with values from 0 to 1, not normalised.
    combine
        ``average`` of the inner network's scores, or ``gru`` in place of its last layer.
    average
        What is averaged: ``logits`` (the authors' attention networks) or ``probabilities`` (their Multi-Crop baseline;
        the logits given are then the logarithm of the average).
    patch_dropout
        Chance of each crop to be black in training. Nothing is rescaled.

    Raises
    ------
    ModelError
        An option has a value that is not allowed, or ``inner`` takes crops itself.
    """

    def __init__(
        self,
        inner: Classifier,
        *,
        num_classes: int,
        crops: int = DEFAULT_NUM_CROPS,
        initial: bool = False,
        end: bool = False,
        combine: str = "average",
        average: str = "logits",
        patch_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        _check_kwargs(inner, crops, combine, average, patch_dropout)
        self.inner = inner
        self.num_crops = crops
        self.average = average
        self.patch_dropout = patch_dropout
        self.num_features = inner.num_features
        self.discarded_keys, self.map_value_range = inner.discarded_keys, inner.map_value_range
        self.attention_scales = tuple(f"inner.{name}" for name in inner.attention_scales)
        self.initial = PatchAttention(crops) if initial else None
        self.end = PatchAttention(crops) if end else None
        self.recurrent = GRUHead(inner.num_features, num_classes) if combine == "gru" else None
        if self.recurrent is not None:
            inner.remove_head()

    @property
    def backbone(self) -> nn.Module:  # type: ignore[override]
        """The inner network's backbone."""
        return self.inner.backbone

    def forward_features(self, x: Any, *, maps: bool = False) -> Features:
        """Give the inner network's features of all b · n crops, and maps: crop weights (b, n), places (b, n, h, w).

        Raises
        ------
        ModelError
            What came are not crops (b, n, 3, h, w), or not as many as the attention was built for.
        """
        self._check_crops(x)
        b, n = x.shape[:2]
        if self.training and self.patch_dropout > 0:
            x = mask_crops(x, torch.rand(b, n, device=x.device) < self.patch_dropout)
        looked: dict[str, Tensor] = {}
        if self.initial is not None:
            x, looked["initial crops"] = self.initial(x)
        found = self.inner.forward_features(x.flatten(0, 1), maps=maps)
        looked.update({name: places.reshape(b, n, *places.shape[1:]) for name, places in found.maps.items()})
        return found._replace(maps=looked if maps else {}, num_crops=n)

    def pool(self, features: Features) -> Float[Tensor, "b n f"]:
        """Turn features into one vector a crop, scaled by the attention at the end, if there is one."""
        return self._pool_and_attend(features).crops

    def compute_logits(self, pooled: Float[Tensor, "b n f"]) -> Logits:
        """Join the crops to one row of logits an image."""
        if self.recurrent is not None:
            logits: Tensor = self.recurrent(pooled)
            return logits
        b, n = pooled.shape[:2]
        each = self.inner.compute_logits(pooled.flatten(0, 1)).reshape(b, n, -1)
        return CROP_AVERAGES[self.average](each)

    def forward(self, x: Any, *, maps: bool = False) -> ModelOutput:
        """Give logits (b, k) and, if asked for, maps."""
        features = self.forward_features(x, maps=maps)
        attended = self._pool_and_attend(features)
        looked = (
            {**features.maps, "end crops": attended.weights}
            if maps and self.end is not None
            else features.maps
        )
        return ModelOutput(logits=self.compute_logits(attended.crops), maps=looked)

    def _pool_and_attend(self, features: Features) -> PatchAttentionOutput:
        vectors = self.inner.pool(features)
        vectors = vectors.reshape(-1, features.num_crops, vectors.shape[-1])
        if self.end is None:
            return PatchAttentionOutput(crops=vectors, weights=vectors.new_ones(vectors.shape[:2]))
        attended: PatchAttentionOutput = self.end(vectors)
        return attended

    def _check_crops(self, x: Tensor) -> None:
        if x.ndim != 5 or x.shape[2] != 3:
            raise ModelError(
                f"a network of crops takes (images, crops, 3, height, width); got {tuple(x.shape)}. Cut crops, or use "
                "the same backbone with another attention"
            )
        if (self.initial is not None or self.end is not None) and x.shape[1] != self.num_crops:
            raise ModelError(
                f"the attention layers were built for {self.num_crops} crops of each image; got {x.shape[1]}. "
                f"Give crops={x.shape[1]}, or cut {self.num_crops}"
            )


def mask_crops(crops: Crops, mask: Bool[Tensor, "b n"]) -> Crops:
    """Set the chosen crops to exact zeros."""
    return crops.masked_fill(mask[:, :, None, None, None], 0.0)


def _check_kwargs(
    inner: Classifier, num_crops: int, combine: str, average: str, patch_dropout: float
) -> None:
    if inner.num_crops is not None:
        raise ModelError("the network inside one of crops takes single images; give plain, arl, gate, …")
    if num_crops < 1:
        raise ModelError(
            f"crops={num_crops}: give the number of crops that each image is cut into, 1 or more"
        )
    if combine not in CROP_AGGREGATORS:
        raise ModelError(unknown_name_message("combine", combine, CROP_AGGREGATORS))
    if average not in CROP_AVERAGES:
        raise ModelError(unknown_name_message("average", average, CROP_AVERAGES))
    if not 0 <= patch_dropout < 1:
        raise ModelError(
            f"patch_dropout={patch_dropout}: give a chance from 0 to below 1, the paper's are 0.1 and 0.2"
        )
