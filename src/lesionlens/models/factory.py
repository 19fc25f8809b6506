"""One door to every network: a name of the zoo, or a backbone and a mechanism."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.models import weights as weight_files
from lesionlens.models.arl_resnet import ARLResNet
from lesionlens.models.base import Classifier, TimmClassifier
from lesionlens.models.datta2021 import DATTA_BACKBONES, DattaNet, DattaSoftAttentionNet
from lesionlens.models.multi_stage import GatedClassifier, MultiStageClassifier
from lesionlens.models.patch_attention import DEFAULT_NUM_CROPS, PATCH_KWARGS, PatchAttentionNet
from lesionlens.models.residual_attention import ResidualAttentionNet
from lesionlens.models.soft_attention import SoftAttentionNet
from lesionlens.models.zoo import get_entry

MECHANISMS: dict[str, Callable[..., Classifier]] = {
    "none": TimmClassifier,
    "arl": ARLResNet,
    "multi-stage": MultiStageClassifier,
    "gate": GatedClassifier,
    "soft": SoftAttentionNet,
    "ran": ResidualAttentionNet,
}
DATTA_MECHANISMS: dict[str, Callable[..., Classifier]] = {"none": DattaNet, "soft": DattaSoftAttentionNet}
"""What there is for the two backbones that are not timm's."""


@dataclass(frozen=True)
class ModelSpec:
    """What a network is made of: enough to build it again.

    Attributes
    ----------
    backbone, attention
        timm's name (or one of ``DATTA_BACKBONES``) and a key of ``MECHANISMS``, ``patch``, or ``patch+`` another.
    kwargs
        Of the mechanisms and of the backbone, as their classes take them.
    """

    backbone: str
    attention: str = "none"
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def num_crops(self) -> int | None:
        """Number of crops that the network takes at once; None where it takes images."""
        if self._attention_parts[0] != "patch":
            return None
        crops = self.kwargs.get("crops", DEFAULT_NUM_CROPS)
        if not isinstance(crops, int):
            raise ModelError(
                f"crops={crops!r}: give the number of crops that each image is cut into, for example 9"
            )
        return crops

    @property
    def uses_ordered_crops(self) -> bool:
        """Whether it learns something for each place of a crop, or their order: not where it only averages."""
        learnt = self.kwargs.get("initial") or self.kwargs.get("end")
        return bool(learnt) or self.kwargs.get("combine") == "gru"

    @property
    def _attention_parts(self) -> tuple[str, str]:
        outer, _, inner = self.attention.partition("+")
        return outer, inner

    def build(self, num_classes: int) -> Classifier:
        """Build it without weights.

        Raises
        ------
        ModelError
            The mechanism does not exist or does not work on the backbone.
        """
        outer, inner = self._attention_parts
        if outer == "patch":
            own = {key: value for key, value in self.kwargs.items() if key in PATCH_KWARGS}
            others = {key: value for key, value in self.kwargs.items() if key not in PATCH_KWARGS}
            around = ModelSpec(self.backbone, inner or "none", others).build(num_classes)
            return PatchAttentionNet(around, num_classes=num_classes, **{**own, "crops": self.num_crops})
        mechanisms = DATTA_MECHANISMS if self.backbone in DATTA_BACKBONES else MECHANISMS
        if self.attention not in mechanisms:
            allowed = [*mechanisms, "patch", *(f"patch+{name}" for name in mechanisms if name != "none")]
            raise ModelError(unknown_name_message(f"attention for {self.backbone}", self.attention, allowed))
        return mechanisms[self.attention](self.backbone, num_classes=num_classes, **self.kwargs)


def make_model_spec(
    name: str | None = None, *, backbone: str | None = None, attention: str | None = None, **kwargs: Any
) -> ModelSpec:
    """Resolve a zoo name, or a backbone with a mechanism, to what is built.

    Raises
    ------
    ModelError
        Neither or both are given, or the name does not exist.

    Examples
    --------
    >>> make_model_spec("arl_cnn14").kwargs
    {'layers': (1, 1, 1, 1)}
    """
    if (name is None) == (backbone is None):
        raise ModelError(
            f"give either a name of the zoo or a backbone; got name={name!r} and backbone={backbone!r}"
        )
    if name is None:
        return ModelSpec(str(backbone), attention or "none", kwargs)
    found = get_entry(name)
    if attention not in {None, found.attention}:
        raise ModelError(
            f"{name} has attention={found.attention!r}; for another mechanism give backbone= instead"
        )
    return ModelSpec(found.backbone, found.attention, {**found.kwargs, **kwargs})


def create_model(
    name: str | None = None,
    *,
    num_classes: int,
    backbone: str | None = None,
    attention: str | None = None,
    weights: str = "none",
    **kwargs: Any,
) -> Classifier:
    """Build a network, with ImageNet weights in its backbone if asked for.

    Parameters
    ----------
    name
        A name of the zoo, for example ``arl_cnn50``; or give ``backbone`` and ``attention``.
    num_classes
        Number of classes k.
    backbone
        Any timm model.
    attention
        A key of ``MECHANISMS``; ``patch`` for a network of all crops of an image, ``patch+gate`` around another.
    weights
        ``none``, ``imagenet`` (from the hub) or the path of a .pth or .safetensors file.
    kwargs
        Options of the mechanism (``alpha``, ``normalization``) and of the timm model.

    Raises
    ------
    ModelError, WeightsError
        A name, option or file that does not exist or does not fit.

    Examples
    --------
    >>> import torch
    >>> model = create_model(backbone="test_resnet", attention="arl", num_classes=7).eval()
    >>> output = model(torch.rand(1, 3, 64, 64), maps=True)
    >>> tuple(output.logits.shape), tuple(output.maps["layer4"].shape)
    ((1, 7), (1, 2, 2))
    """
    wanted = make_model_spec(name, backbone=backbone, attention=attention, **kwargs)
    model = wanted.build(num_classes)
    weight_files.load_backbone_weights(model, weights, backbone=wanted.backbone)
    return model
