"""Classifiers of all crops of an image: patch attention, and its baselines GRU and Multi-Crop.

Source: Gessert et al. 2019, "Skin Lesion Classification Using CNNs with Patch-Based Attention and Diagnosis-Guided
Loss Weighting", section II-E: attention before the network, after its pooling, or both; the baselines are a recurrent
layer, whose size is that of the authors' code, and the average over independent crops ("Multi-Crop"). Where paper and
code differ we follow the code: it averages the crops' logits if attention is trained, and their probabilities in the
Multi-Crop baseline.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.models.attention.patch import InnerPatchAttention, PatchAttention, PatchAttentionOutput
from lesionlens.models.backbone import init_head_near_zero
from lesionlens.models.base import Classifier, Features
from lesionlens.models.spec import DEFAULT_NUM_CROPS
from lesionlens.models.types import Crops, Logits, ModelOutput

PATCH_KWARGS = frozenset(
    {
        "crops", "initial", "after", "end", "combine", "average", "patch_dropout",
        "gru_layers", "gru_width", "gru_bidirectional",
    }
)  # fmt: skip
CROP_AGGREGATORS = ("average", "gru")
GRU_HIDDEN_SIZE = 1024


def mean_logits(logits: Float[Tensor, "b n k"]) -> Logits:
    """Return the mean of the crops' logits."""
    return logits.mean(dim=1)


def log_mean_softmax(logits: Float[Tensor, "b n k"]) -> Logits:
    """Return logits whose softmax is the mean of the crops' probabilities."""
    wide = torch.promote_types(logits.dtype, torch.float32)  # under autocast too
    return logits.log_softmax(dim=2, dtype=wide).logsumexp(dim=1) - math.log(logits.shape[1])


def log_vote_fractions(logits: Float[Tensor, "b n k"]) -> Logits:
    """Return logits whose softmax is the fraction of the crops that vote for each class.

    A crop votes for the class of its largest logit, of equal ones for the first. Classes with equally many votes have
    equal scores. Votes have no gradient; for explanations it is that of the mean logits.
    """
    wide = torch.promote_types(logits.dtype, torch.float32)
    votes = nn.functional.one_hot(logits.argmax(dim=2), logits.shape[2]).to(wide)
    log_fractions = votes.mean(dim=1).clamp_min(torch.finfo(wide).tiny).log()
    mean = logits.to(wide).mean(dim=1)
    return log_fractions + (mean - mean.detach())


CROP_AVERAGES: dict[str, Callable[[Tensor], Tensor]] = {
    "logits": mean_logits,
    "probabilities": log_mean_softmax,
    "vote": log_vote_fractions,
}


MAX_GRU_LAYERS, MAX_GRU_WIDTH = 16, 16_384


class PatchAttentionNet(Classifier):
    """Network of crops, built around a network of single images.

    Parameters
    ----------
    inner
        Network that processes each crop, with or without its own attention mechanism.
    num_classes
        Number of classes k, the same as for ``inner``.
    crops
        Number of crops n per image, default 9. Attention layers are built for it; without them any number is accepted.
    initial
        Whether attention is applied to the raw crops. It depends on their brightness, so pixel values must be in 0 to
        1, not normalized.
    after
        Layers of the backbone after which attention is applied to the feature maps of the crops: names of stages or of
        other modules (see ``InnerPatchAttention``).
    end
        Whether attention is applied to the vectors of the crops after pooling.
    combine
        ``average`` of the inner network's scores, or ``gru`` instead of its last layer.
    average
        What is averaged: ``logits`` (the authors' attention networks), ``probabilities`` (their Multi-Crop baseline;
        the returned logits are then the logarithm of the average), or ``vote``: the scores are fractions of the
        crops' votes (section I). Votes have no gradient, so that training averages logits.
    patch_dropout
        Probability that a crop is set to zero in training. The others are not rescaled.
    gru_layers, gru_width, gru_bidirectional
        Number of layers, hidden units per direction, and direction of the GRU (section II-E); default: those of the
        authors' code.

    Raises
    ------
    ModelError
        An option has a value that is not allowed, or ``inner`` is a network of crops itself.
    """

    def __init__(
        self,
        inner: Classifier,
        *,
        num_classes: int,
        crops: int = DEFAULT_NUM_CROPS,
        initial: bool = False,
        after: Sequence[str] = (),
        end: bool = False,
        combine: str = "average",
        average: str = "logits",
        patch_dropout: float = 0.0,
        gru_layers: int = 1,
        gru_width: int = GRU_HIDDEN_SIZE,
        gru_bidirectional: bool = False,
    ) -> None:
        super().__init__()
        _check_kwargs(inner, crops, combine, average, patch_dropout)
        _check_gru(combine, gru_layers, gru_width, bidirectional=gru_bidirectional)
        self.inner = inner
        self.num_crops = crops
        self.average = average
        self.patch_dropout = patch_dropout
        self.num_features = inner.num_features
        self.discarded_keys, self.map_value_range = inner.discarded_keys, inner.map_value_range
        self.attention_scales = tuple(f"inner.{name}" for name in inner.attention_scales)
        self.initial = PatchAttention(crops) if initial else None
        self.inside = InnerPatchAttention([after] if isinstance(after, str) else after, crops)
        self.end = PatchAttention(crops) if end else None
        self.recurrent = None
        if combine == "gru":
            self.recurrent = GRUHead(
                inner.num_features,
                num_classes,
                width=gru_width,
                num_layers=gru_layers,
                bidirectional=gru_bidirectional,
            )
            inner.remove_head()

    @property
    def backbone(self) -> nn.Module:  # type: ignore[override]
        """Backbone of the inner network."""
        return self.inner.backbone

    def forward_features(self, x: Any, *, maps: bool = False) -> Features:
        """Return the inner network's features of all b · n crops, and maps.

        Maps are the weights of the crops, (b, n), and the spatial maps of the inner network, (b, n, h, w).

        Raises
        ------
        ModelError
            The input is not (b, n, 3, h, w), or n is not the number that the attention was built for.
        """
        self._check_crops(x)
        b, n = x.shape[:2]
        if self.training and self.patch_dropout > 0:
            x = mask_crops(x, torch.rand(b, n, device=x.device) < self.patch_dropout)
        attention_maps: dict[str, Tensor] = {}
        if self.initial is not None:
            x, attention_maps["initial crops"] = self.initial(x)
        with self.inside.attending(self.inner.backbone, n) as weights:
            features = self.inner.forward_features(x.flatten(0, 1), maps=maps)
        attention_maps |= {f"{layer} crops": crop_weights for layer, crop_weights in weights.items()}
        attention_maps |= {name: rows.reshape(b, n, *rows.shape[1:]) for name, rows in features.maps.items()}
        return features._replace(maps=attention_maps if maps else {}, num_crops=n)

    def pool(self, features: Features) -> Float[Tensor, "b n f"]:
        """Pool features to one vector per crop, scaled by the attention at the end, if there is one."""
        return self._pool_and_attend(features).crops

    def compute_logits(self, pooled: Float[Tensor, "b n f"]) -> Logits:
        """Combine the crops to logits per image, (b, k)."""
        if self.recurrent is not None:
            logits: Tensor = self.recurrent(pooled)
            return logits
        b, n = pooled.shape[:2]
        crop_logits = self.inner.compute_logits(pooled.flatten(0, 1)).reshape(b, n, -1)
        votes_in_training = self.training and self.average == "vote"
        return CROP_AVERAGES["logits" if votes_in_training else self.average](crop_logits)

    def forward(self, x: Any, *, maps: bool = False) -> ModelOutput:
        """Return logits (b, k), the average features of the crops and, if requested, attention maps."""
        features = self.forward_features(x, maps=maps)
        attended = self._pool_and_attend(features)
        attention_maps = features.maps
        if maps and self.end is not None:
            attention_maps = {**attention_maps, "end crops": attended.weights}
        return ModelOutput(
            logits=self.compute_logits(attended.crops),
            maps=attention_maps,
            features=attended.crops.mean(dim=1),
        )

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
                f"a network of crops takes (images, crops, 3, height, width); got {tuple(x.shape)}. Crop the images, "
                "or use the same backbone with another attention mechanism"
            )
        attends = self.initial is not None or self.inside.layers or self.end is not None
        if attends and x.shape[1] != self.num_crops:
            raise ModelError(
                f"the attention layers were built for {self.num_crops} crops per image; got {x.shape[1]}. "
                f"Set crops={x.shape[1]}, or take {self.num_crops} crops"
            )


class GRUHead(nn.Module):
    """GRU that reads the vectors of the crops in order, with a linear layer on its last state.

    Parameters
    ----------
    num_features
        Length f of a crop's vector.
    num_classes
        Number of classes k.
    width
        Number of hidden units in each direction.
    num_layers
        Number of layers.
    bidirectional
        Whether a second GRU reads the crops in reverse order; the linear layer then reads the last state of both.
    """

    def __init__(
        self,
        num_features: int,
        num_classes: int,
        *,
        width: int = GRU_HIDDEN_SIZE,
        num_layers: int = 1,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        self.gru = nn.GRU(num_features, width, num_layers, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear((1 + bidirectional) * width, num_classes)
        init_head_near_zero(self.head)

    def forward(self, vectors: Float[Tensor, "b n f"]) -> Logits:
        """Return logits (b, k)."""
        states, _ = self.gru(vectors)
        width = self.gru.hidden_size
        last = torch.cat([states[:, -1, :width], states[:, 0, width:]], dim=1)  # of both directions
        logits: Tensor = self.head(last)
        return logits


def mask_crops(crops: Crops, mask: Bool[Tensor, "b n"]) -> Crops:
    """Set the selected crops to zero."""
    return crops.masked_fill(mask[:, :, None, None, None], 0.0)


def _check_kwargs(
    inner: Classifier, num_crops: int, combine: str, average: str, patch_dropout: float
) -> None:
    if inner.num_crops is not None:
        raise ModelError(
            "the inner network of a network of crops must take single images. Use none, arl, gate, … after patch+"
        )
    if num_crops < 1:
        raise ModelError(f"crops={num_crops} is not allowed. Set the number of crops per image, 1 or more")
    if combine not in CROP_AGGREGATORS:
        raise ModelError(unknown_name_message("combine", combine, CROP_AGGREGATORS))
    if average not in CROP_AVERAGES:
        raise ModelError(unknown_name_message("average", average, CROP_AVERAGES))
    if not 0 <= patch_dropout < 1:
        raise ModelError(
            f"patch_dropout={patch_dropout} is not allowed. Set a probability from 0 to below 1 (0.1 and 0.2 in the "
            "paper)"
        )


def _check_gru(combine: str, num_layers: int, width: int, *, bidirectional: bool) -> None:
    if combine != "gru" and (num_layers, width, bidirectional) != (1, GRU_HIDDEN_SIZE, False):
        raise ModelError(
            "gru_layers, gru_width and gru_bidirectional need combine=gru. Set it, or remove them"
        )
    if not (1 <= num_layers <= MAX_GRU_LAYERS and 1 <= width <= MAX_GRU_WIDTH):
        raise ModelError(
            f"gru_layers={num_layers} and gru_width={width} are not allowed. Set gru_layers from 1 to {MAX_GRU_LAYERS} "
            f"and gru_width from 1 to {MAX_GRU_WIDTH:,}"
        )
