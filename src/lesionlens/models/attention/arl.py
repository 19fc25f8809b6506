"""Attention residual learning: a block's own residual, normalised, says where to look.

Source: Zhang et al. 2019, "Attention Residual Learning for Skin Lesion Classification", equations 3 to 9.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lesionlens.core.errors import ModelError, unknown_name_message


class MaskNormalization(NamedTuple):
    """How a mask is made of F(x).

    Attributes
    ----------
    dim
        Axes of (b, c, h, w) over which a softmax is taken; none: a sigmoid, each value by itself.
    scale_to_unit_mean
        Multiplied by the number of places.
    """

    dim: tuple[int, ...]
    scale_to_unit_mean: bool = False

    def compute_mask(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Normalise features, in any memory layout without a copy."""
        return self.scale_factor(features.shape) * softmax_over(features, self.dim)

    def scale_factor(self, shape: torch.Size) -> int:
        """Give what the mask is multiplied by on a grid (b, c, h, w)."""
        return shape[2] * shape[3] if self.scale_to_unit_mean else 1


MASK_NORMALIZATIONS = {
    "spatial": MaskNormalization((2, 3)),  # eq. 4, of each channel: sums to 1 over h and w
    "channel": MaskNormalization((1,)),  # eq. 5, at each position: sums to 1 over c
    "sigmoid": MaskNormalization(()),  # eq. 6
    # Ours, not the paper's: its mask has mean 1 / (h * w), 3e-4 at 56 by 56. Times alpha that is 3e-7 of x, and
    # alpha's gradient is as small, so that the gate hardly learns. Scaled, the term has the same size on every grid.
    "area": MaskNormalization((2, 3), scale_to_unit_mean=True),
}


def softmax_over(features: Tensor, dim: tuple[int, ...], log_sums: Tensor | None = None) -> Tensor:
    """Take the softmax over these axes, or the sigmoid over none, in the layout in which the features lie.

    ``torch.softmax`` takes one axis and copies what does not lie along it. `log_sums` is what ``logsumexp`` gives,
    if it is there.
    In float32 the relative error is about 6e-8 times the largest magnitude: 1e-6 behind a batch norm.
    """
    if not dim:
        return features.sigmoid()
    # not exp / sum: exp is not kept between, whoever compiles this computes it twice rather than storing a grid
    return (features - (logsumexp(features, dim) if log_sums is None else log_sums)).exp()


def logsumexp(features: Tensor, dim: tuple[int, ...]) -> Tensor:
    """Take the logarithm of the sum of exponentials over these axes, which keep a size of 1.

    One axis after the other, the last first: a row is still in the cache when it is summed.
    """
    for axis in reversed(dim):
        features = features.logsumexp(axis, keepdim=True)
    return features


class ARLOutput(NamedTuple):
    """The sum of equation 9 before any ReLU, (b, c, h, w), and the mask in it, same shape, float32 or wider."""

    features: Tensor
    mask: Tensor


def attention_residual(
    x: Float[Tensor, "b c h w"],
    residual: Float[Tensor, "b c h w"],
    alpha: Float[Tensor, ""],
    *,
    normalization: str = "spatial",
) -> ARLOutput:
    """Compute ``x + F(x) + alpha * N(F(x)) * x`` (eq. 9) and give the mask N(F(x)) too.

    Mask and sum are computed in float32 or wider even under autocast: over a 56 by 56 grid the attention term is about
    3e-7 of ``x``. The sum is then rounded once, to the type of ``x + residual``. Where no mask is asked for,
    ``arl_fused.fused_arl`` gives the same sum for less memory.

    Parameters
    ----------
    x, residual
        The block's identity (projected where the shape changes) and F(x), both (b, c, h, w).
    alpha
        The block's scale gate, a scalar.
    normalization
        ``spatial`` (eq. 4, the paper's choice), ``channel`` (eq. 5), ``sigmoid`` (eq. 6) or ``area`` (ours: eq. 4
        scaled to mean 1).

    Raises
    ------
    ModelError
        The normalization does not exist.

    Examples
    --------
    >>> import torch
    >>> x = torch.ones(1, 1, 2, 2)
    >>> attention_residual(x, torch.zeros_like(x), torch.tensor(1.0)).features.flatten().tolist()
    [1.25, 1.25, 1.25, 1.25]
    """
    kind = torch.promote_types(x.dtype, residual.dtype)
    wide = torch.promote_types(kind, torch.float32)
    with torch.autocast(x.device.type, enabled=False):
        identity, added = x.to(wide), residual.to(wide)
        mask = get_normalization(normalization).compute_mask(added)
        y = added + identity + alpha.to(wide) * mask * identity
    return ARLOutput(features=y.to(kind), mask=mask)


def get_normalization(name: str) -> MaskNormalization:
    """Look a normalization up.

    Raises
    ------
    ModelError
        It does not exist.
    """
    if name not in MASK_NORMALIZATIONS:
        raise ModelError(unknown_name_message("normalization", name, MASK_NORMALIZATIONS))
    return MASK_NORMALIZATIONS[name]
