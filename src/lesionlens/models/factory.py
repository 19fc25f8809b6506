"""Building networks from a name of the zoo, or from a backbone and an attention mechanism."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.models import weights as weight_files
from lesionlens.models.arl_resnet import ARLResNet
from lesionlens.models.arl_stack import ARLStackNet
from lesionlens.models.backbone import BUILD_ERRORS
from lesionlens.models.base import Classifier, TimmClassifier
from lesionlens.models.datta2021 import DATTA_BACKBONES, DattaNet, DattaSoftAttentionNet
from lesionlens.models.multi_stage import GatedClassifier, MultiStageClassifier
from lesionlens.models.patch_attention import DEFAULT_NUM_CROPS, PATCH_KWARGS, PatchAttentionNet
from lesionlens.models.residual_attention_network import ResidualAttentionNetwork
from lesionlens.models.soft_attention import SoftAttentionNet
from lesionlens.models.zoo import get_entry

MECHANISMS: dict[str, Callable[..., Classifier]] = {
    "none": TimmClassifier,
    "arl": ARLResNet,
    "arl-stack": ARLStackNet,
    "multi-stage": MultiStageClassifier,
    "gate": GatedClassifier,
    "soft": SoftAttentionNet,
    "ran": ResidualAttentionNetwork,
}
DATTA_MECHANISMS: dict[str, Callable[..., Classifier]] = {"none": DattaNet, "soft": DattaSoftAttentionNet}
"""Mechanisms for the two backbones that are not timm's."""


@dataclass(frozen=True)
class ModelSpec:
    """Specification of a network, from which it can be built again.

    Attributes
    ----------
    backbone
        Name of a timm model, or a key of ``DATTA_BACKBONES``.
    attention
        Key of ``MECHANISMS``; or ``patch`` for a network of crops, ``patch+gate`` with another mechanism inside.
    kwargs
        Options of the mechanisms and of the backbone.
    """

    backbone: str
    attention: str = "none"
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def num_crops(self) -> int | None:
        """Number of crops that the network takes at once; None if it takes images."""
        if self._attention_parts[0] != "patch":
            return None
        crops = self.kwargs.get("crops", DEFAULT_NUM_CROPS)
        if not isinstance(crops, int):
            raise ModelError(
                f"crops={crops!r} is not allowed. Set the number of crops per image, for example 9"
            )
        return crops

    @property
    def uses_ordered_crops(self) -> bool:
        """Whether the order of the crops matters: with patch attention or a GRU, not for averages."""
        attends = any(self.kwargs.get(position) for position in ("initial", "after", "end"))
        return bool(attends) or self.kwargs.get("combine") == "gru"

    @property
    def uses_arl(self) -> bool:
        """Whether the model uses attention (residual) learning, whose masks add less than bf16 resolves."""
        return self.has_arl_blocks or "arl-stack" in self.attention.split("+")

    @property
    def has_arl_blocks(self) -> bool:
        """Whether the model has blocks of attention residual learning, which can be compiled."""
        return "arl" in self.attention.split("+")

    @property
    def _attention_parts(self) -> tuple[str, str]:
        outer, _, inner = self.attention.partition("+")
        return outer, inner

    def build(self, num_classes: int) -> Classifier:
        """Build the network without pretrained weights.

        Raises
        ------
        ModelError
            The mechanism does not exist or does not work on the backbone.
        """
        outer, inner = self._attention_parts
        if outer == "patch":
            patch_kwargs = {key: value for key, value in self.kwargs.items() if key in PATCH_KWARGS}
            inner_kwargs = {key: value for key, value in self.kwargs.items() if key not in PATCH_KWARGS}
            inner_net = ModelSpec(self.backbone, inner or "none", inner_kwargs).build(num_classes)
            patch_kwargs["crops"] = self.num_crops
            return self._construct(
                partial(PatchAttentionNet, inner_net, num_classes=num_classes), patch_kwargs
            )
        mechanisms = DATTA_MECHANISMS if self.backbone in DATTA_BACKBONES else MECHANISMS
        if self.attention not in mechanisms:
            allowed = [*mechanisms, "patch", *(f"patch+{name}" for name in mechanisms if name != "none")]
            raise ModelError(unknown_name_message(f"attention for {self.backbone}", self.attention, allowed))
        mechanism = partial(mechanisms[self.attention], self.backbone, num_classes=num_classes)
        return self._construct(mechanism, self.kwargs)

    def _construct(self, mechanism: Callable[..., Classifier], kwargs: Mapping[str, Any]) -> Classifier:
        """Call a mechanism with its options; an error because of their values names them."""
        try:
            return mechanism(**kwargs)
        except BUILD_ERRORS as error:
            if not kwargs:
                raise
            options = ", ".join(f"{key}={value!r}" for key, value in kwargs.items())
            raise ModelError(
                f"{self.attention} on {self.backbone} cannot be built with options {options}: {error}"
            ) from error


def make_model_spec(
    name: str | None = None, *, backbone: str | None = None, attention: str | None = None, **kwargs: Any
) -> ModelSpec:
    """Return the specification of a network of the zoo, or of a backbone with a mechanism.

    Raises
    ------
    ModelError
        Neither name nor backbone, or both, are passed, or the name does not exist.

    Examples
    --------
    >>> make_model_spec("arl_cnn14").kwargs
    {'layers': (1, 1, 1, 1)}
    """
    if (name is None) == (backbone is None):
        raise ModelError(
            f"pass either a name of the zoo or a backbone; got name={name!r} and backbone={backbone!r}"
        )
    if name is None:
        return ModelSpec(str(backbone), attention or "none", kwargs)
    entry = get_entry(name)
    if attention not in {None, entry.attention}:
        raise ModelError(
            f"{name} has attention={entry.attention!r}; for another mechanism pass backbone= instead"
        )
    return ModelSpec(entry.backbone, entry.attention, {**entry.kwargs, **kwargs})


def create_model(
    name: str | None = None,
    *,
    num_classes: int,
    backbone: str | None = None,
    attention: str | None = None,
    weights: str = "none",
    **kwargs: Any,
) -> Classifier:
    """Build a network, optionally with ImageNet weights in its backbone.

    Parameters
    ----------
    name
        Name in the zoo, for example ``arl_cnn50``; alternatively pass ``backbone`` and ``attention``.
    num_classes
        Number of classes k.
    backbone
        Name of any timm model.
    attention
        Key of ``MECHANISMS``; or ``patch`` for a network of crops, ``patch+gate`` with another mechanism inside.
    weights
        ``none`` (default), ``imagenet`` (of an installed package, else from the Hugging Face Hub) or the path of a .pth
        or .safetensors file.
    kwargs
        Options of the mechanism (``alpha``, ``normalization``) and of the timm model.

    Raises
    ------
    ModelError, WeightsError
        A name, option or file does not exist or does not fit.

    Examples
    --------
    >>> import torch
    >>> model = create_model(backbone="test_resnet", attention="arl", num_classes=7).eval()
    >>> output = model(torch.rand(1, 3, 64, 64), maps=True)
    >>> tuple(output.logits.shape), tuple(output.maps["layer4"].shape)
    ((1, 7), (1, 2, 2))
    """
    spec = make_model_spec(name, backbone=backbone, attention=attention, **kwargs)
    model = spec.build(num_classes)
    weight_files.load_backbone_weights(model, weights, backbone=spec.backbone)
    return model
