"""Attention residual learning (ARL): a residual block attends with a mask that it computes from its own residual.

Source: Zhang et al. 2019, "Attention Residual Learning for Skin Lesion Classification", equations 3 to 9.
``arl_fused`` computes the same equation with less memory.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lesionlens.core.errors import ModelError, unknown_name_message


class ARLOutput(NamedTuple):
    """Output and mask of a block.

    Attributes
    ----------
    features
        Sum of equation 9 before any ReLU, (b, c, h, w).
    mask
        Attention mask N(F(x)), (b, c, h, w), float32 or float64.
    """

    features: Tensor
    mask: Tensor


def attention_residual(
    x: Float[Tensor, "b c h w"],
    residual: Float[Tensor, "b c h w"],
    alpha: Float[Tensor, ""],
    *,
    normalization: str = "spatial",
) -> ARLOutput:
    """Compute ``y = x + F(x) + alpha * N(F(x)) * x`` (eq. 9) and return it with the mask N(F(x)).

    Mask and sum are computed in float32 or float64 even under autocast: on a 56 by 56 feature map the attention term
    is about 3e-7 of ``x``. The sum is then rounded once, to the dtype of ``x + residual``.

    Parameters
    ----------
    x
        Identity of the block, (b, c, h, w); the projected shortcut if the shape changes.
    residual
        Residual F(x), (b, c, h, w).
    alpha
        Learnable scale of the attention term, a scalar.
    normalization
        Normalization N: ``spatial`` (eq. 4, the paper's choice), ``channel`` (eq. 5), ``sigmoid`` (eq. 6) or ``area``
        (not in the paper: eq. 4 scaled to mean 1).

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
    dtype = torch.promote_types(x.dtype, residual.dtype)
    wide = torch.promote_types(dtype, torch.float32)
    with torch.autocast(x.device.type, enabled=False):
        identity, added = x.to(wide), residual.to(wide)
        mask = get_normalization(normalization).compute_mask(added)
        y = added + identity + alpha.to(wide) * mask * identity
    return ARLOutput(features=y.to(dtype), mask=mask)


class MaskNormalization(NamedTuple):
    """Normalization N that turns F(x) into a mask.

    Attributes
    ----------
    dim
        Axes of (b, c, h, w) over which the softmax is taken; empty for an elementwise sigmoid.
    scale_to_unit_mean
        Whether the mask is multiplied by h * w.
    """

    dim: tuple[int, ...]
    scale_to_unit_mean: bool = False

    def compute_mask(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return the mask N(features), without copying in any memory format."""
        return self.scale_factor(features.shape) * softmax_over(features, self.dim)

    def scale_factor(self, shape: torch.Size) -> int:
        """Return the factor applied to the mask of a feature map of shape (b, c, h, w)."""
        return shape[2] * shape[3] if self.scale_to_unit_mean else 1


MASK_NORMALIZATIONS = {
    "spatial": MaskNormalization((2, 3)),  # eq. 4, per channel: sums to 1 over h and w
    "channel": MaskNormalization((1,)),  # eq. 5, per position: sums to 1 over c
    "sigmoid": MaskNormalization(()),  # eq. 6
    # Not in the paper, whose mask has mean 1 / (h * w), 3e-4 at 56 by 56. Times alpha that is 3e-7 of x, and alpha's
    # gradient is as small, so that alpha hardly learns. Scaled, the term has the same size on every feature map.
    "area": MaskNormalization((2, 3), scale_to_unit_mean=True),
}


def get_normalization(name: str) -> MaskNormalization:
    """Return the normalization of that name.

    Raises
    ------
    ModelError
        The normalization does not exist.
    """
    if name not in MASK_NORMALIZATIONS:
        raise ModelError(unknown_name_message("normalization", name, MASK_NORMALIZATIONS))
    return MASK_NORMALIZATIONS[name]


def softmax_over(features: Tensor, dim: tuple[int, ...], log_sums: Tensor | None = None) -> Tensor:
    """Compute the softmax over several axes, or the sigmoid if there are none, in the memory format of the input.

    ``torch.softmax`` takes one axis and copies tensors that are not contiguous along it. In float32 the relative error
    is about 6e-8 times the largest magnitude: 1e-6 after a batch norm.

    Parameters
    ----------
    log_sums
        Precomputed ``logsumexp(features, dim)``.
    """
    if not dim:
        return features.sigmoid()
    # not exp / sum: exp would be computed twice by a compiler that does not store a full feature map
    return (features - (logsumexp(features, dim) if log_sums is None else log_sums)).exp()


def logsumexp(features: Tensor, dim: tuple[int, ...]) -> Tensor:
    """Compute the logarithm of the sum of exponentials over several axes, which remain with size 1.

    One axis at a time, the last one first: a row is still in the processor's cache when it is summed.
    """
    for axis in reversed(dim):
        features = features.logsumexp(axis, keepdim=True)
    return features
