"""The changes of many pictures at once, on the device where they lie."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from lesionlens.data.change import GREY, Change, Fill, colours, square, warp

_BORDERS: dict[Fill, str] = {"reflect": "reflection", "nearest": "border"}


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
    moved = _move_all(changes, pictures)
    return torch.cat([_recolour_all(changes, moved[:, :3]), moved[:, 3:]], dim=1)


def _move_all(changes: Sequence[Change], pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Warp, turn and flip in one sampling."""
    height, width = pictures.shape[2:]
    back = _on(pictures, [_back(change, height, width) for change in changes])
    middle = torch.tensor([(width - 1) / 2, (height - 1) / 2], device=pictures.device)
    x, y = (
        torch.arange(width, device=back.device) - middle[0],
        torch.arange(height, device=back.device) - middle[1],
    )
    matrix, shift = back[:, None, None, :, :2], back[:, None, None, :, 2]
    places = matrix[..., 0] * x[:, None] + matrix[..., 1] * y[:, None, None] + shift  # (b, h, w, 2)
    sampled = F.grid_sample(
        pictures,
        places / middle.clamp(min=0.5),
        mode="bilinear",
        padding_mode=_BORDERS[changes[0].fill],
        align_corners=True,
    )
    return sampled.round()


def _back(change: Change, height: int, width: int) -> NDArray[np.float64]:
    """Say where a changed picture's pixels come from, both counted from the middle: a 2 by 3 matrix of x, y."""
    there, middle = warp(change, height, width), np.array([(width - 1) / 2, (height - 1) / 2])
    shift = there[:, :2] @ middle + there[:, 2] - middle
    linear = np.linalg.inv(there[:, :2])
    return np.column_stack([linear, -linear @ shift])


def _recolour_all(changes: Sequence[Change], images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Multiply by one matrix each, its last column scaled by the image's mean grey; then paint the squares."""
    matrix = _on(images, [colours(change, 1.0) for change in changes])
    shift = matrix[:, :, 3] * (_mean(images).flatten(1) @ _on(images, GREY))[:, None]
    painted = (matrix[:, :, :3] @ images.flatten(2) + shift[..., None]).round().clamp(0, 255)
    painted = painted.reshape(images.shape)
    return torch.where(_squares(changes, images), _mean(painted).round(), painted)


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
