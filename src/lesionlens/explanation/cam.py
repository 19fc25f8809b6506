"""Which places of the last feature grid speak for a class: CAM and Grad-CAM.

Sources: Zhou et al. 2016, "Learning Deep Features for Discriminative Localization", equation 2; Selvaraju et
al. 2017, "Grad-CAM", equations 1 and 2. The layer is always the last grid before pooling, so nothing has to
be picked by hand; and as a ``Classifier`` computes in two steps, gradients are taken between them and no hook
is needed.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lesionlens.errors import ModelError
from lesionlens.explanation.undisturbed import undisturbed
from lesionlens.models import backbone
from lesionlens.models.classifier import Classifier


def cam(
    model: Classifier, images: Float[Tensor, "b 3 h w"], *, target: Int[Tensor, " b"] | None = None
) -> Float[Tensor, "b grid_h grid_w"]:
    """Weigh the last feature grid with the head's weights for a class (Zhou et al. 2016, eq. 2).

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
    weight = model.head_weight()
    if weight is None:
        raise ModelError(
            f"CAM needs a head that is one linear layer on averaged features; "
            f"{type(model).__name__} has another. Use method gradcam, which works on any network"
        )
    with undisturbed(model):
        features = model.features(images)
        target = _target(model.classify(features), target)
        return torch.einsum("bc,bchw->bhw", weight[target], _grid(features.grid, model)).float()


def gradcam(
    model: Classifier,
    images: Float[Tensor, "b 3 h w"],
    *,
    target: Int[Tensor, " b"] | None = None,
    rectify: bool = True,
) -> Float[Tensor, "b grid_h grid_w"]:
    """Weigh the last feature grid with a logit's mean gradient (Selvaraju et al. 2017, eq. 1 and 2).

    Parameters
    ----------
    model
        Any network; features that are channels-last or tokens are brought to a grid.
    images
        Preprocessed images, (b, 3, h, w).
    target
        Class index of each image; by default the class with the highest score.
    rectify
        Keep only what speaks for the class (eq. 2); ``False`` gives the signed map.

    Returns
    -------
    Tensor
        Map (b, h, w) on the feature grid. Where the head is one linear layer on averaged features, the signed
        map is ``cam`` divided by h times w.

    Raises
    ------
    ModelError
        The features form no grid, or the head reads only a class token.
    """
    _refuse_class_token(model)
    with undisturbed(model):
        found_features = model.features(images)
        features = found_features.grid.detach().requires_grad_()
        with torch.enable_grad():
            logits = model.classify(found_features._replace(grid=features))
            # each image's logit depends on its own features alone: the sum's gradient holds every image's
            score = logits.gather(1, _target(logits, target)[:, None]).sum()
            (gradient,) = torch.autograd.grad(score, features)
        weight = _grid(gradient, model).mean(dim=(2, 3))
        found = torch.einsum("bc,bchw->bhw", weight, _grid(features.detach(), model)).float()
    return found.relu() if rectify else found


def _target(logits: Tensor, target: Tensor | None) -> Tensor:
    """Give the class indices that were asked for, else the predicted ones."""
    if target is None:
        return logits.detach().argmax(dim=1)
    if target.min() < 0 or target.max() >= logits.shape[1]:
        raise ModelError(
            f"target classes {target.tolist()} do not exist: the model has {logits.shape[1]} (0 …)"
        )
    return target.to(logits.device).long()


def _grid(features: Tensor, model: Classifier) -> Tensor:
    trunk = getattr(model, "trunk", None)
    return backbone.grid(features, trunk) if isinstance(trunk, nn.Module) else features


def _refuse_class_token(model: Classifier) -> None:
    """Say that the last grid has no part in the score, rather than give a map of zeros."""
    if getattr(getattr(model, "trunk", None), "global_pool", None) == "token":
        raise ModelError(
            "this network's head reads only its class token, so no place of its last grid "
            "has a gradient. Build it with the option global_pool='avg' to have Grad-CAM"
        )
