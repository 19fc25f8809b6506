"""Which places of the last feature grid speak for a class: CAM, Grad-CAM, Grad-CAM++ and Layer-CAM.

The layer is always the last grid before pooling, ``Features.feature_map``, so nothing has to be picked by hand; and as
a ``Classifier`` computes in steps, the gradient is taken between them and no hook is needed. It goes through all that
follows the grid: also through gates that the grid guides, and through weights that crops give one another.

Our own code rather than captum's: that wants the layer named for every network, hooks it, and has neither Grad-CAM++
nor Layer-CAM.
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


def _grad_cam(gradient: _FeatureMap, _: _FeatureMap) -> Float[Tensor, "rows c 1 1"]:
    """Selvaraju et al. 2017, "Grad-CAM", eq. 1."""
    return gradient.mean(dim=(2, 3), keepdim=True)


def _grad_cam_pp(gradient: _FeatureMap, feature_map: _FeatureMap) -> Float[Tensor, "rows c 1 1"]:
    """Chattopadhay et al. 2018, "Grad-CAM++", eq. 5 and 19.

    As there, the score is the exponential of a logit that is piecewise linear in the grid: its second and third
    derivatives are then powers of the gradient (that exponential scales the whole map and is left out), and where
    the gradient g is positive eq. 19 is 1 / (2 + g · sum of the channel). Elsewhere eq. 5 counts nothing. Their
    features come from a ReLU; of others a negative sum counts as zero, lest something be divided by zero, and the map
    can be empty.
    """
    positive = gradient.relu()
    whole = feature_map.sum(dim=(2, 3), keepdim=True).clamp(min=0)
    return (positive / (2 + positive * whole)).sum(dim=(2, 3), keepdim=True)


def _layer_cam(gradient: _FeatureMap, _: _FeatureMap) -> _FeatureMap:
    """Jiang et al. 2021, "LayerCAM", section III: each place by its own gradient, where that is positive."""
    return gradient.relu()


CAM_WEIGHTINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "gradcam": _grad_cam,
    "gradcam++": _grad_cam_pp,
    "layercam": _layer_cam,
}
"""Gradient and grid, (rows, c, h, w), to weights of channels or of single values."""


@contextmanager
def vit_target_layer(network: nn.Module) -> Iterator[Callable[[Tensor], Tensor]]:
    """Let a class-token transformer's features end before its last block while the body runs; give the rest.

    After the last block no place has a part in the score. In it the class token still attends to all places, so the
    tokens that enter it are the last ones that have: the usual choice for Grad-CAM on vision transformers.

    The backbone is as before afterwards. Of any other network the features stay what they are and the rest is nothing.

    Raises
    ------
    ModelError
        The head reads only a class token, and the trunk is not timm's VisionTransformer.
    """
    if getattr(network, "global_pool", None) != "token":
        yield lambda grid: grid
        return
    if not isinstance(network, VisionTransformer):
        raise ModelError(
            f"this network's head reads only its class token, so no place of its last grid has a gradient, and where "
            f"{type(network).__name__} attends last is not known here. Build it with the option global_pool='avg', or "
            "take a vit_* or deit_*"
        )
    block, norm = network.blocks[-1], network.norm
    network.blocks[-1], network.norm = nn.Identity(), nn.Identity()
    try:
        yield lambda tokens: norm(block(tokens))
    finally:
        network.blocks[-1], network.norm = block, norm


@contextmanager
def eval_mode(model: Classifier) -> Iterator[None]:
    """Run the body with the network in evaluation mode, in full precision, without a record of gradients.

    Every module's training flag is as before afterwards; no ``requires_grad`` or ``grad`` is touched. An
    inference mode around the call is lifted, since Grad-CAM needs gradients inside.
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


def cam(
    model: Classifier, images: Float[Tensor, "b ... 3 h w"], *, target: Int[Tensor, " b"] | None = None
) -> Float[Tensor, "b grid_h grid_w"]:
    """Weigh the last feature grid with the head's weights for a class.

    Source: Zhou et al. 2016, "Learning Deep Features for Discriminative Localization", eq. 2.

    Parameters
    ----------
    model
        A network whose head is one linear layer on averaged features.
    images
        Preprocessed images, (b, 3, h, w).
    target
        Class index of each image; by default the class with the highest score.

    Returns
    -------
    Tensor
        Signed map (b, h, w) on the feature grid; its mean plus the head's bias is the logit.

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
    """Weigh the last feature grid by a logit's gradient with respect to it, and sum over channels.

    Parameters
    ----------
    model
        Any network; features that are channels-last or tokens are brought to a grid. Of a transformer whose head
        reads only its class token, the grid are the tokens that enter the last block.
    images
        Preprocessed images (b, 3, h, w), or their crops (b, n, 3, h, w) for a network of crops.
    weighting
        ``gradcam``, ``gradcam++`` or ``layercam``.
    target
        Class index of each image; by default the class with the highest score.
    relu
        Keep only what speaks for the class (Selvaraju et al. 2017, eq. 2); ``False`` gives the signed map.

    Returns
    -------
    Tensor
        Map (b, h, w) on the feature grid, or one a crop (b, n, h, w). Where the head is one linear layer on averaged
        features, the signed map of ``gradcam`` is ``cam`` divided by h times w.

    Raises
    ------
    ModelError
        The weighting does not exist, the features form no grid, or only a class token is read and the network is not
        timm's VisionTransformer.
    """
    if weighting not in CAM_WEIGHTINGS:
        raise ModelError(unknown_name_message("weighting", weighting, CAM_WEIGHTINGS))
    with eval_mode(model), vit_target_layer(model.backbone) as rest, torch.enable_grad():
        # by the images' own gradient every grid has one, also where all parameters are frozen
        features = model.forward_features(images.detach().clone().requires_grad_())
        with torch.backends.cudnn.flags(enabled=False):  # its recurrent layers have no gradient in eval mode
            logits = model.forward_head(features._replace(feature_map=rest(features.feature_map)))
        # each image's logit depends on its own features alone: the sum's gradient holds every image's
        score = logits.gather(1, _target_indices(logits, target)[:, None]).sum()
        (gradient,) = torch.autograd.grad(score, features.feature_map)
        gradient, grid = (
            _to_feature_map(each.detach(), model, images) for each in (gradient, features.feature_map)
        )
    found = (CAM_WEIGHTINGS[weighting](gradient, grid) * grid).sum(dim=1).float()
    found = found.reshape(*images.shape[:-3], *found.shape[1:])
    return found.relu() if relu else found


def _target_indices(logits: Tensor, target: Tensor | None) -> Tensor:
    """Give the class indices that were asked for, else the predicted ones."""
    if target is None:
        return logits.detach().argmax(dim=1)
    if target.min() < 0 or target.max() >= logits.shape[1]:
        raise ModelError(
            f"target classes {target.tolist()} do not exist: the model has {logits.shape[1]} (0 …)"
        )
    return target.to(logits.device).long()


def _to_feature_map(features: Tensor, model: Classifier, images: Tensor) -> Tensor:
    """Bring timm's layouts to (rows, c, h, w): only plain networks hand them on, all others give a grid."""
    inner = model.inner if isinstance(model, PatchAttentionNet) else model
    if not isinstance(inner, TimmClassifier):
        return features
    return backbone.to_nchw(features, inner.backbone, image_size=(images.shape[-2], images.shape[-1]))
