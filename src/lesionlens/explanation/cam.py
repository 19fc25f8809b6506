"""Class activation maps of the last feature map: CAM, Grad-CAM, Grad-CAM++ and Layer-CAM.

The target layer is always the last feature map before pooling, ``Features.feature_map``, so it need not be selected;
and because a ``Classifier`` computes in steps, gradients are taken between them without hooks. They include all paths
after the feature map: also gates that it guides, and weights that crops assign to one another.

This is our own implementation because captum's needs the name of the layer for each network, uses hooks, and has
neither Grad-CAM++ nor Layer-CAM.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.models import backbone
from lesionlens.models.base import Classifier, TimmClassifier
from lesionlens.models.patch_attention import PatchAttentionNet

_FeatureMap = Float[Tensor, "rows c h w"]


def cam(
    model: Classifier, images: Float[Tensor, "b ... 3 h w"], *, target: Int[Tensor, " b"] | None = None
) -> Float[Tensor, "b grid_h grid_w"]:
    """Weight the last feature map with the head's weights for a class.

    Source: Zhou et al. 2016, "Learning Deep Features for Discriminative Localization", eq. 2.

    Parameters
    ----------
    model
        Network whose head is one linear layer on averaged features.
    images
        Preprocessed images, (b, 3, h, w).
    target
        Class index for each image; default the class with the highest score.

    Returns
    -------
    Tensor
        Signed map (b, h, w) at the resolution of the feature map; its mean plus the head's bias is the logit.

    Raises
    ------
    ModelError
        The head is not one linear layer: use ``gradcam``.
    """
    weight = model.linear_head_weight()
    if weight is None:
        raise ModelError(
            f"CAM needs a head that is one linear layer on averaged features; "
            f"{type(model).__name__} has another. Use method gradcam, which works on any network"
        )
    with eval_mode(model):
        features = model.forward_features(images)
        target = _target_indices(model.forward_head(features), target)
        return torch.einsum(
            "bc,bchw->bhw", weight[target], _to_feature_map(features.feature_map, model, images)
        ).float()


def gradient_map(
    model: Classifier,
    images: Float[Tensor, "b ... 3 h w"],
    *,
    weighting: str = "gradcam",
    target: Int[Tensor, " b"] | None = None,
    relu: bool = True,
) -> Float[Tensor, "b ... grid_h grid_w"]:
    """Weight the last feature map by the gradient of a logit with respect to it, and sum over channels.

    Parameters
    ----------
    model
        Any network; channels-last features and tokens are converted to a feature map. For a transformer whose head
        reads only its class token, the feature map consists of the tokens that enter the last block.
    images
        Preprocessed images (b, 3, h, w), or their crops (b, n, 3, h, w) for a network of crops.
    weighting
        Key of ``CAM_WEIGHTINGS``: ``gradcam`` (default), ``gradcam++`` or ``layercam``.
    target
        Class index for each image; default the class with the highest score.
    relu
        Whether to keep only positive evidence (Selvaraju et al. 2017, eq. 2); False returns the signed map.

    Returns
    -------
    Tensor
        Map (b, h, w) at the resolution of the feature map, or one per crop (b, n, h, w). If the head is one linear
        layer on averaged features, the signed map of ``gradcam`` is ``cam`` divided by h times w.

    Raises
    ------
    ModelError
        The weighting does not exist, the features do not form a feature map, or the head reads only a class token and
        the network is not timm's VisionTransformer.
    """
    if weighting not in CAM_WEIGHTINGS:
        raise ModelError(unknown_name_message("weighting", weighting, CAM_WEIGHTINGS))
    with eval_mode(model), vit_target_layer(model.backbone) as run_last_block, torch.enable_grad():
        # gradients with respect to the images give every feature map one, even if all parameters are frozen
        features = model.forward_features(images.detach().clone().requires_grad_())
        with torch.backends.cudnn.flags(enabled=False):  # its recurrent layers have no gradient in eval mode
            logits = model.forward_head(features._replace(feature_map=run_last_block(features.feature_map)))
        # each logit depends only on the features of its image: the gradient of the sum contains those of all images
        score = logits.gather(1, _target_indices(logits, target)[:, None]).sum()
        (gradient,) = torch.autograd.grad(score, features.feature_map)
        gradient = _to_feature_map(gradient.detach(), model, images)
        feature_map = _to_feature_map(features.feature_map.detach(), model, images)
    values = (CAM_WEIGHTINGS[weighting](gradient, feature_map) * feature_map).sum(dim=1).float()
    values = values.reshape(*images.shape[:-3], *values.shape[1:])
    return values.relu() if relu else values


def _grad_cam(gradient: _FeatureMap, _: _FeatureMap) -> Float[Tensor, "rows c 1 1"]:
    """Selvaraju et al. 2017, "Grad-CAM", eq. 1."""
    return gradient.mean(dim=(2, 3), keepdim=True)


def _grad_cam_pp(gradient: _FeatureMap, feature_map: _FeatureMap) -> Float[Tensor, "rows c 1 1"]:
    """Chattopadhay et al. 2018, "Grad-CAM++", eq. 5 and 19.

    As there, the score is the exponential of a logit that is piecewise linear in the feature map: its second and third
    derivatives are then powers of the gradient (that exponential scales the map uniformly and is omitted), and where
    the gradient g is positive eq. 19 is 1 / (2 + g · sum of the channel). Elsewhere eq. 5 is zero. Their features are
    the output of a ReLU; for other features a negative sum is replaced by zero, to avoid a division by zero, and the
    map can be empty.
    """
    positive = gradient.relu()
    channel_sum = feature_map.sum(dim=(2, 3), keepdim=True).clamp(min=0)
    return (positive / (2 + positive * channel_sum)).sum(dim=(2, 3), keepdim=True)


def _layer_cam(gradient: _FeatureMap, _: _FeatureMap) -> _FeatureMap:
    """Jiang et al. 2021, "LayerCAM", section III: each position is weighted by its own gradient, where positive."""
    return gradient.relu()


CAM_WEIGHTINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "gradcam": _grad_cam,
    "gradcam++": _grad_cam_pp,
    "layercam": _layer_cam,
}
"""Functions from gradient and feature map, (rows, c, h, w), to weights of channels or of single values."""


@contextmanager
def vit_target_layer(network: nn.Module) -> Iterator[Callable[[Tensor], Tensor]]:
    """Let the features of a class-token transformer end before its last block; yield a function for that block.

    After the last block only the class token contributes to the score. In that block the class token still attends to
    all patch tokens, so the tokens that enter it are the last ones with a gradient: the usual target layer of Grad-CAM
    on vision transformers.

    The backbone is restored afterwards. For any other network the features are unchanged and the function returns its
    argument.

    Raises
    ------
    ModelError
        The head reads only a class token, and the network is not timm's VisionTransformer.
    """
    if getattr(network, "global_pool", None) != "token":
        yield lambda features: features
        return
    if not isinstance(network, VisionTransformer):
        raise ModelError(
            f"the head of this network reads only the class token, so its last feature map has no gradient, and the "
            f"last attention block of {type(network).__name__} is not known. Build it with global_pool='avg', or use a "
            "vit_* or deit_* backbone"
        )
    block, norm = network.blocks[-1], network.norm
    network.blocks[-1], network.norm = nn.Identity(), nn.Identity()
    try:
        yield lambda tokens: norm(block(tokens))
    finally:
        network.blocks[-1], network.norm = block, norm


@contextmanager
def eval_mode(model: Classifier) -> Iterator[None]:
    """Run a block with the network in evaluation mode, in full precision, without recording gradients.

    The training flag of every module is restored afterwards; no ``requires_grad`` or ``grad`` changes. A surrounding
    inference mode is disabled, because Grad-CAM needs gradients.
    """
    flags = [(module, module.training) for module in model.modules()]
    device = next(model.parameters()).device.type
    model.eval()
    try:
        with torch.inference_mode(False), torch.no_grad(), torch.autocast(device, enabled=False):
            yield
    finally:
        for module, training in flags:
            module.training = training


def _target_indices(logits: Tensor, target: Tensor | None) -> Tensor:
    """Return the requested class indices, or the predicted ones if ``target`` is None."""
    if target is None:
        return logits.detach().argmax(dim=1)
    if target.min() < 0 or target.max() >= logits.shape[1]:
        raise ModelError(
            f"target classes {target.tolist()} do not exist: the model has {logits.shape[1]} classes, numbered from 0"
        )
    return target.to(logits.device).long()


def _to_feature_map(features: Tensor, model: Classifier, images: Tensor) -> Tensor:
    """Convert the features of a ``TimmClassifier`` to (rows, c, h, w); other networks return that already."""
    inner = model.inner if isinstance(model, PatchAttentionNet) else model
    if not isinstance(inner, TimmClassifier):
        return features
    return backbone.to_nchw(features, inner.backbone, image_size=(images.shape[-2], images.shape[-1]))
