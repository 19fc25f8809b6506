"""Building networks from a name of the zoo, or from a backbone and an attention mechanism."""

from collections.abc import Callable, Mapping
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
from lesionlens.models.patch_attention import PATCH_KWARGS, PatchAttentionNet
from lesionlens.models.residual_attention_network import ResidualAttentionNetwork
from lesionlens.models.soft_attention import SoftAttentionNet
from lesionlens.models.spec import ModelSpec
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


def build_network(spec: ModelSpec, num_classes: int) -> Classifier:
    """Build a network without pretrained weights.

    Raises
    ------
    ModelError
        The mechanism does not exist or does not work on the backbone.
    """
    outer, inner = spec.attention_parts
    if outer == "patch":
        patch_kwargs = {key: value for key, value in spec.kwargs.items() if key in PATCH_KWARGS}
        inner_kwargs = {key: value for key, value in spec.kwargs.items() if key not in PATCH_KWARGS}
        inner_net = build_network(ModelSpec(spec.backbone, inner or "none", inner_kwargs), num_classes)
        patch_kwargs["crops"] = spec.num_crops
        return _construct(spec, partial(PatchAttentionNet, inner_net, num_classes=num_classes), patch_kwargs)
    mechanisms = DATTA_MECHANISMS if spec.backbone in DATTA_BACKBONES else MECHANISMS
    if spec.attention not in mechanisms:
        allowed = [*mechanisms, "patch", *(f"patch+{name}" for name in mechanisms if name != "none")]
        raise ModelError(unknown_name_message(f"attention for {spec.backbone}", spec.attention, allowed))
    mechanism = partial(mechanisms[spec.attention], spec.backbone, num_classes=num_classes)
    return _construct(spec, mechanism, spec.kwargs)


def _construct(
    spec: ModelSpec, mechanism: Callable[..., Classifier], kwargs: Mapping[str, Any]
) -> Classifier:
    """Call a mechanism with its options; an error because of their values names them."""
    try:
        return mechanism(**kwargs)
    except BUILD_ERRORS as error:
        if not kwargs:
            raise
        options = ", ".join(f"{key}={value!r}" for key, value in kwargs.items())
        raise ModelError(
            f"{spec.attention} on {spec.backbone} cannot be built with options {options}: {error}"
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
    model = build_network(spec, num_classes)
    weight_files.load_backbone_weights(model, weights, backbone=spec.backbone)
    return model
