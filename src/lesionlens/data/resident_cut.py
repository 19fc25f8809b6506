"""Crops of many pictures cut and resized at once, on the device where they lie: Pillow's, to the byte.

Pillow multiplies by whole shares of 2^22 and rounds after each side. No product of float32 holds such sums, but two do:
one of the shares' upper eleven bits, one of the lower. Both are exact in TF32 as well. By 1 grey level differ Pillow 13
and later where they resize tall pictures by height first (here width is first always), and the loader's own kernel.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Num, UInt8
from torch import Tensor

from lesionlens.crops.box import CropBox

_FIXED_POINT_ONE, _FIXED_POINT_HALF = 1 << 22, 1 << 11


def crop_resize_batch(
    images: Sequence[UInt8[Tensor, "c _ _"]], boxes: Sequence[CropBox], size: tuple[int, int]
) -> Float[Tensor, "b c h w"]:
    """Cut a box from each picture and resize it, as ``resized_crop`` does, by a matrix product for each side.

    Parameters
    ----------
    images
        Of any sizes, on one device.
    boxes
        One for each picture.
    size
        Height and width of every crop.

    Returns
    -------
    Tensor
        Whole numbers from 0 to 255, float32.
    """
    seen = [(box.parent or box).slices() for box in boxes]
    pixels = pad_to_batch([picture[:, *place] for picture, place in zip(images, seen, strict=True)])
    edges = torch.tensor([_crop_bounds(box) for box in boxes], device=pixels.device)
    down, across = (_resample_weights(edges[:, side], out_length=size[side], in_length=pixels.shape[2 + side]) for side in (0, 1))
    narrow = _apply_weights(across[:, None], pixels.float().transpose(2, 3))
    return _apply_weights(down[:, None], narrow.transpose(2, 3))


def pad_to_batch(images: Sequence[Num[Tensor, "c _ _"]]) -> Num[Tensor, "b c y x"]:
    """Lay parts of different sizes into one tensor, each at its corner; the rest is 0 and has no share."""
    height, width = (max(part.shape[side] for part in images) for side in (1, 2))
    canvas = images[0].new_zeros(len(images), images[0].shape[0], height, width)
    for place, part in zip(canvas, images, strict=True):
        place[:, : part.shape[1], : part.shape[2]] = part
    return canvas


def _crop_bounds(box: CropBox) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Say of rows and of columns where the box begins and ends in what is seen of the picture, and how much that is."""
    frame = box.parent or box
    rows, columns = frame.slices()
    top, left = box.top - frame.top, box.left - frame.left
    return (
        (top, top + box.height, float(rows.stop - rows.start)),
        (left, left + box.width, float(columns.stop - columns.start)),
    )


def _resample_weights(bounds: Float[Tensor, "b 3"], *, out_length: int, in_length: int) -> Float[Tensor, "b out length"]:
    """Give each pixel's share in each resized one, of 2^22: triangles as wide as the shrink factor."""
    first, last, seen = bounds.T[:, :, None, None]
    scale = (last - first).double() / out_length
    middle = first + (torch.arange(out_length, device=bounds.device)[:, None] + 0.5) * scale
    pixel = torch.arange(in_length, device=bounds.device) + 0.5
    share: Tensor = (1 - (pixel - middle).abs() / scale.clamp(min=1)).clamp(min=0) * (pixel < seen)
    return (share / share.sum(dim=2, keepdim=True) * _FIXED_POINT_ONE).round()


def _apply_weights(
    weights: Float[Tensor, "b 1 out length"], x: Float[Tensor, "b c length n"]
) -> Float[Tensor, "b c out n"]:
    """Multiply and round to whole grey levels, ties upwards."""
    upper = (weights / _FIXED_POINT_HALF).floor()
    coarse, fine = (part.float() @ x for part in (upper, weights - upper * _FIXED_POINT_HALF))
    whole = coarse.double() * _FIXED_POINT_HALF + fine + _FIXED_POINT_ONE // 2
    return (whole / _FIXED_POINT_ONE).floor().float()
