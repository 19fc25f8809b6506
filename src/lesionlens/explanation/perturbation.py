"""Remove or restore the pixels of an image in the order of a map: deletion, insertion, and ROAD's imputation.

All functions work on the normalized test crops of one image, (n, 3, h, w), and rank the pixels of all its crops
together.
"""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from PIL import Image
from scipy import sparse
from scipy.sparse.linalg import splu
from torch import Tensor

from lesionlens.core.errors import ModelError
from lesionlens.imaging.boxes import CropBox

BLUR_SIGMA = 0.1  # of the blurred image that insertion starts from, relative to the shorter side of a crop
IMPUTATION_NOISE = 0.01  # standard deviation, in normalized values, as in the code of Rong et al.


def crop_values(
    values: Float[ndarray, "image_h image_w"], boxes: Sequence[CropBox], size: tuple[int, int]
) -> Float[ndarray, "n h w"]:
    """Return the part of a map of the image in each crop, resized to the network's input bilinearly.

    Raises
    ------
    ModelError
        The map contains values that are not finite.
    """
    if not np.isfinite(values).all():
        raise ModelError("a map contains values that are not finite: the network's weights may be corrupt")
    image = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    crops = []
    for top, left, height, width, _ in boxes:
        box = (left, top, left + width, top + height)
        crops.append(np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR, box=box)))
    return np.stack(crops)


def pixel_ranks(
    importance: Float[ndarray, "n h w"], tie_break: Float[ndarray, "n h w"]
) -> Float[ndarray, "n h w"]:
    """Return the fraction of all pixels that are more important than each pixel, from 0 to below 1.

    Parameters
    ----------
    importance
        Map on the crops of an image.
    tie_break
        Second map, by which pixels of equal importance are ranked: all pixels of a constant map.

    Examples
    --------
    >>> pixel_ranks(np.array([[[5.0, 1.0, 5.0, 9.0]]]), np.array([[[0.0, 0.0, 1.0, 0.0]]])).tolist()
    [[[0.5, 0.75, 0.25, 0.0]]]
    """
    order = np.lexsort((-tie_break.ravel(), -importance.ravel()))
    ranks = np.empty(importance.size)
    ranks[order] = np.arange(importance.size) / importance.size
    return ranks.reshape(importance.shape)


def replace_pixels(
    crops: Float[Tensor, "n 3 h w"],
    other: Float[Tensor, "n 3 h w"],
    ranks: Float[ndarray, "n h w"],
    fractions: Float[ndarray, " v"],
) -> Float[Tensor, "v n 3 h w"]:
    """Return versions of the crops in which the fractions of the most important pixels are those of ``other``.

    Petsiuk et al. 2018, "RISE", section 4.1: deletion replaces pixels of the image by a constant, insertion replaces
    those of a blurred image by the image.
    """
    replaced = torch.from_numpy(ranks[None] < fractions[:, None, None, None]).to(crops.device)
    return torch.where(replaced[:, :, None], other, crops)


def blur_crops(crops: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Return crops blurred by a Gaussian of ``BLUR_SIGMA``, in which no lesion has its shape or structures."""
    sigma = BLUR_SIGMA * min(crops.shape[-2:])
    rows = crops.permute(0, 2, 3, 1).cpu().numpy()
    blurred = [
        cv2.GaussianBlur(np.ascontiguousarray(row), (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        for row in rows
    ]
    return torch.from_numpy(np.stack(blurred)).permute(0, 3, 1, 2).to(crops)


def impute_pixels(
    crops: Float[Tensor, "n 3 h w"],
    ranks: Float[ndarray, "n h w"],
    fractions: Float[ndarray, " v"],
    *,
    least: bool = False,
    seed: int = 0,
) -> Float[Tensor, "v n 3 h w"]:
    """Return versions of the crops in which the fractions of the most important pixels are imputed with noise.

    Rong et al. 2022, "A Consistent and Efficient Evaluation Strategy for Attribution Methods" (ROAD), section 4.

    Parameters
    ----------
    least
        Whether the least important pixels are imputed instead.
    seed
        Random seed of the noise.
    """
    levels = fractions[:, None, None, None]
    removed = ranks[None] >= 1 - levels if least else ranks[None] < levels
    pixels = crops.cpu().numpy().astype(np.float64)
    versions = np.stack(
        [[impute(*pair) for pair in zip(pixels, version, strict=True)] for version in removed]
    )
    noise = IMPUTATION_NOISE * np.random.default_rng(seed).standard_normal(versions.shape)
    return torch.from_numpy(versions + noise * removed[:, :, None]).to(crops)


def impute(image: Float[ndarray, "3 h w"], removed: Bool[ndarray, "h w"]) -> Float[ndarray, "3 h w"]:
    """Replace each removed pixel by the weighted mean of its up to eight neighbors, for all of them at the same time.

    This is the solution of the linear system of Rong et al. 2022, section 4.2, without its noise. Neighbors in the same
    row or column have twice the weight of diagonal ones. An image of which no pixel is known becomes 0, the mean color.
    """
    if removed.all():
        return np.zeros_like(image)
    filled = image.reshape(3, -1).copy()
    if removed.any():
        unknown, known = np.flatnonzero(removed), np.flatnonzero(~removed)
        rows = _laplacian(*removed.shape)[unknown]
        right_side = -(rows[:, known] @ filled[:, known].T)
        # minimum degree of the symmetric pattern: half the time of the default ordering
        factors = splu(rows[:, unknown].tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
        filled[:, unknown] = factors.solve(right_side).T
    return filled.reshape(image.shape)


@lru_cache(maxsize=4)
def _laplacian(height: int, width: int) -> sparse.csr_array:
    """Return the matrix (pixels, pixels) of the differences between each pixel and its neighbors, by weight."""
    index = np.arange(height * width).reshape(height, width)
    pairs = []
    for down, right, weight in ((0, 1, 1 / 6), (1, 0, 1 / 6), (1, 1, 1 / 12), (1, -1, 1 / 12)):
        first = index[: height - down, max(0, -right) : width - max(0, right)].ravel()
        second = index[down:, max(0, right) : width + min(0, right)].ravel()
        pairs.append((first, second, np.full(len(first), weight)))
    first, second, weights = map(np.concatenate, zip(*pairs, strict=True))
    upper = sparse.csr_array((weights, (first, second)), shape=(height * width, height * width))
    adjacency = upper + upper.T
    return sparse.csr_array(sparse.diags_array(adjacency.sum(axis=1)) - adjacency)
