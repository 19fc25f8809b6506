"""The changes of many pictures at once, on the device where they lie."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from lesionlens.data.change import GREY, Change, Fill, colours, square, warp


def apply_all(changes: Sequence[Change], pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Move and recolour pictures, each by its own change, as ``change.apply`` does.

    Parameters
    ----------
    changes
        One for each picture, all with the same ``fill``.
    pictures
        Whole numbers from 0 to 255: red, green and blue, then what is only moved (a mask).

    Returns
    -------
    Tensor
        Whole numbers from 0 to 255; 1 grey level from OpenCV's, of which the versions before 5 moved by whole
        thirty-seconds of a pixel (8 grey levels at the hardest edges).
    """
    size = (pictures.shape[2], pictures.shape[3])
    matrices = [warp(change, *size) for change in changes]
    return recolour_all(changes, sample_all(pictures, [size] * len(changes), matrices, size, changes[0].fill))


def sample_all(
    pictures: Float[Tensor, "b c y x"],
    seen: Sequence[tuple[int, int]],
    matrices: Sequence[NDArray[np.float64]],
    size: tuple[int, int],
    fill: Fill,
) -> Float[Tensor, "b c h w"]:
    """Draw pictures anew in one size, as ``change.sampled`` does.

    Parameters
    ----------
    pictures
        Whole numbers, each in its upper left corner.
    seen
        Height and width of each.
    matrices
        Where the pixels of each are taken, as OpenCV's 2 by 3 matrices.
    """
    backs = zip(matrices, seen, strict=True)
    back = _on(pictures, [_back(matrix, each, size) for matrix, each in backs])[:, None, None]
    half = (_on(pictures, seen).flip(1)[:, None, None] - 1) / 2  # from the middle to the border: x, y
    x, y = (torch.arange(side, device=back.device) - (side - 1) / 2 for side in (size[1], size[0]))
    places = back[..., 0] * x[:, None] + back[..., 1] * y[:, None, None] + back[..., 2]  # (b, h, w, 2)
    places = _inside(places, half, fill) + half
    middle = (_on(pictures, pictures.shape[:1:-1]) - 1) / 2
    grid = (places - middle) / middle.clamp(min=0.5)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=True).round()


def _inside(places: Tensor, half: Tensor, fill: Fill) -> Tensor:
    """Say which places within a picture's borders stand for places outside, all counted from its middle."""
    if fill == "nearest":
        return places.clamp(-half, half)
    there_and_back = (4 * half).clamp(min=1)
    return half - ((places + half) % there_and_back - 2 * half).abs()


def _back(there: NDArray[np.float64], seen: tuple[int, int], size: tuple[int, int]) -> NDArray[np.float64]:
    """Say where pixels come from, here and there counted from the middle: a 2 by 3 matrix of x, y."""
    before, after = (np.array([(width - 1) / 2, (height - 1) / 2]) for height, width in (seen, size))
    linear = np.linalg.inv(there[:, :2])
    return np.column_stack([linear, linear @ (after - there[:, 2]) - before])


def recolour_all(changes: Sequence[Change], pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Multiply the colours by one matrix each, its last column scaled by the image's mean grey; then paint squares."""
    images, masks = pictures[:, :3], pictures[:, 3:]
    matrix = _on(images, [colours(change, 1.0) for change in changes])
    shift = matrix[:, :, 3] * (_mean(images).flatten(1) @ _on(images, GREY))[:, None]
    painted = (matrix[:, :, :3] @ images.flatten(2) + shift[..., None]).round().clamp(0, 255)
    painted = painted.reshape(images.shape)
    return torch.cat([torch.where(_squares(changes, images), _mean(painted).round(), painted), masks], dim=1)


def _mean(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 1 1"]:
    return images.mean(dim=(2, 3), keepdim=True)


def _squares(changes: Sequence[Change], images: Float[Tensor, "b 3 h w"]) -> Tensor:
    """Say which pixels are painted over, (b, 1, h, w)."""
    places = [square(change.cutout, *images.shape[2:]) for change in changes]
    inside = []
    for side in (0, 1):
        pixel = torch.arange(images.shape[2 + side], device=images.device)
        first, end = (
            _on(images, [getattr(place[side], name) for place in places])[:, None]
            for name in ("start", "stop")
        )
        inside.append((first <= pixel) & (pixel < end))
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]


def _on(pictures: Tensor, numbers: Sequence[object]) -> Tensor:
    return torch.as_tensor(np.asarray(numbers), dtype=torch.float32, device=pictures.device)
