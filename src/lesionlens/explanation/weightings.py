"""How much each value of a feature grid counts, by the gradient of a class's logit: three published answers."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

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
