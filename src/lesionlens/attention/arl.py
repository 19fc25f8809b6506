"""Attention residual learning: a block's own residual, normalised, says where to look.

Source: Zhang et al. 2019, "Attention Residual Learning for Skin Lesion Classification", equations 3 to 9.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lesionlens.errors import ModelError, unknown


def spatial_softmax(features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Softmax over the positions of each channel (eq. 4): sums to 1 over h and w."""
    b, c, h, w = features.shape
    return features.reshape(b, c, h * w).softmax(dim=2).reshape(b, c, h, w)


def area_softmax(features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Softmax over the positions of each channel, times their number: mean 1. Ours, not the paper's.

    The paper's mask has mean ``1 / (h * w)``, 3e-4 at 56 by 56: times alpha it is 3e-7 of x, and alpha's gradient is as
    small, so that the gate hardly learns. Scaled by the area, the term has the same size on every grid.
    """
    return spatial_softmax(features) * (features.shape[2] * features.shape[3])


def channel_softmax(features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Softmax over the channels at each position (eq. 5): sums to 1 over c."""
    return features.softmax(dim=1)


NORMALISATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "spatial": spatial_softmax,
    "channel": channel_softmax,
    "sigmoid": torch.sigmoid,  # eq. 6, each value by itself
    "area": area_softmax,
}


class Attended(NamedTuple):
    """The sum of equation 9 before any ReLU, (b, c, h, w), and the mask in it, same shape, float32 or wider."""

    features: Tensor
    mask: Tensor


def attend(
    x: Float[Tensor, "b c h w"],
    residual: Float[Tensor, "b c h w"],
    alpha: Float[Tensor, ""],
    *,
    normalisation: str = "spatial",
) -> Attended:
    """Compute ``x + F(x) + alpha * N(F(x)) * x`` (eq. 9).

    Mask and sum are computed in float32 even under autocast, and under autocast they stay so: over a 56 by 56 grid
    the attention term is about 3e-7 of ``x``, which half precision rounds away. Elsewhere the result has the type of
    ``x + residual``.

    Parameters
    ----------
    x, residual
        The block's identity (projected where the shape changes) and F(x), both (b, c, h, w).
    alpha
        The block's scale gate, a scalar.
    normalisation
        ``spatial`` (eq. 4, the paper's choice), ``channel`` (eq. 5), ``sigmoid`` (eq. 6) or ``area`` (ours: eq. 4
        scaled to mean 1).

    Raises
    ------
    ModelError
        The normalisation does not exist.

    Examples
    --------
    >>> import torch
    >>> x = torch.ones(1, 1, 2, 2)
    >>> attend(x, torch.zeros_like(x), torch.tensor(1.0)).features.flatten().tolist()
    [1.25, 1.25, 1.25, 1.25]
    """
    if normalisation not in NORMALISATIONS:
        raise ModelError(unknown("normalisation", normalisation, NORMALISATIONS))
    kind = torch.promote_types(x.dtype, residual.dtype)
    wide = torch.promote_types(kind, torch.float32)
    kept = wide if torch.is_autocast_enabled(x.device.type) else kind
    with torch.autocast(x.device.type, enabled=False):
        identity, added = x.to(wide), residual.to(wide)
        mask = NORMALISATIONS[normalisation](added)
        y = added + identity + alpha.to(wide) * mask * identity
    return Attended(features=y.to(kept), mask=mask)
