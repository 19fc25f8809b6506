"""The changes of many pictures at once, on the device where they lie."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Num, UInt8
from numpy.typing import NDArray
from torch import Tensor

from lesionlens.data.transforms import (
    LUMA_WEIGHTS,
    AugmentParams,
    PaddingMode,
    affine_matrix,
    color_matrix,
    crop_to_size_matrix,
    cutout_box,
    single_interpolation,
)
from lesionlens.imaging.boxes import CropBox


def augment_batch(
    params: Sequence[AugmentParams], batch: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b c h w"]:
    """Move and recolour pictures, each by its own change, as ``augment`` does.

    Parameters
    ----------
    params
        One for each picture, all with the same ``padding_mode``.
    batch
        Whole numbers from 0 to 255: red, green and blue, then what is only moved (a mask).

    Returns
    -------
    Tensor
        Whole numbers from 0 to 255; 1 grey level from OpenCV's, of which the versions before 5 moved by whole
        thirty-seconds of a pixel (8 grey levels at the hardest edges).
    """
    size = (batch.shape[2], batch.shape[3])
    matrices = [affine_matrix(change, *size) for change in params]
    return color_batch(
        params, warp_batch(batch, [size] * len(params), matrices, size, params[0].padding_mode)
    )


def warp_batch(
    batch: Float[Tensor, "b c y x"],
    in_sizes: Sequence[tuple[int, int]],
    matrices: Sequence[NDArray[np.float64]],
    out_size: tuple[int, int],
    padding_mode: PaddingMode,
) -> Float[Tensor, "b c h w"]:
    """Draw pictures anew in one size, as ``warp_affine`` does.

    Parameters
    ----------
    batch
        Whole numbers, each in its upper left corner.
    in_sizes
        Height and width of each.
    matrices
        Where the pixels of each are taken, as OpenCV's 2 by 3 matrices.
    """
    backs = zip(matrices, in_sizes, strict=True)
    back = _tensor_like(batch, [_inverse_matrix(matrix, each, out_size) for matrix, each in backs])[
        :, None, None
    ]
    half = (
        _tensor_like(batch, in_sizes).flip(1)[:, None, None] - 1
    ) / 2  # from the middle to the border: x, y
    x, y = (torch.arange(side, device=back.device) - (side - 1) / 2 for side in (out_size[1], out_size[0]))
    places = back[..., 0] * x[:, None] + back[..., 1] * y[:, None, None] + back[..., 2]  # (b, h, w, 2)
    places = _pad_coordinates(places, half, padding_mode) + half
    middle = (_tensor_like(batch, batch.shape[:1:-1]) - 1) / 2
    grid = (places - middle) / middle.clamp(min=0.5)
    return F.grid_sample(batch, grid, mode="bilinear", padding_mode="border", align_corners=True).round()


def _pad_coordinates(coordinates: Tensor, half: Tensor, padding_mode: PaddingMode) -> Tensor:
    """Say which places within a picture's borders stand for places outside, all counted from its middle."""
    if padding_mode == "replicate":
        return coordinates.clamp(-half, half)
    there_and_back = (4 * half).clamp(min=1)
    return half - ((coordinates + half) % there_and_back - 2 * half).abs()


def _inverse_matrix(
    matrix: NDArray[np.float64], in_size: tuple[int, int], out_size: tuple[int, int]
) -> NDArray[np.float64]:
    """Say where pixels come from, here and there counted from the middle: a 2 by 3 matrix of x, y."""
    before, after = (np.array([(width - 1) / 2, (height - 1) / 2]) for height, width in (in_size, out_size))
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, linear @ (after - matrix[:, 2]) - before])


def color_batch(params: Sequence[AugmentParams], batch: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Multiply the colours by one matrix each, its last column scaled by the image's mean grey; then paint squares."""
    images, masks = batch[:, :3], batch[:, 3:]
    matrix = _tensor_like(images, [color_matrix(change, 1.0) for change in params])
    shift = (
        matrix[:, :, 3] * (_channel_means(images).flatten(1) @ _tensor_like(images, LUMA_WEIGHTS))[:, None]
    )
    painted = (matrix[:, :, :3] @ images.flatten(2) + shift[..., None]).round().clamp(0, 255)
    painted = painted.reshape(images.shape)
    return torch.cat(
        [torch.where(_cutout_mask(params, images), _channel_means(painted).round(), painted), masks], dim=1
    )


def _channel_means(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 1 1"]:
    return images.mean(dim=(2, 3), keepdim=True)


def _cutout_mask(params: Sequence[AugmentParams], images: Float[Tensor, "b 3 h w"]) -> Tensor:
    """Say which pixels are painted over, (b, 1, h, w)."""
    places = [cutout_box(change.cutout, *images.shape[2:]) for change in params]
    inside = []
    for side in (0, 1):
        pixel = torch.arange(images.shape[2 + side], device=images.device)
        first, end = (
            _tensor_like(images, [getattr(place[side], name) for place in places])[:, None]
            for name in ("start", "stop")
        )
        inside.append((first <= pixel) & (pixel < end))
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]


def _tensor_like(reference: Tensor, values: Sequence[object]) -> Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float32, device=reference.device)


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
    down, across = (
        _resample_weights(edges[:, side], out_length=size[side], in_length=pixels.shape[2 + side])
        for side in (0, 1)
    )
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


def _resample_weights(
    bounds: Float[Tensor, "b 3"], *, out_length: int, in_length: int
) -> Float[Tensor, "b out length"]:
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


def crop_and_augment_batch(
    params: Sequence[AugmentParams],
    images: Sequence[UInt8[Tensor, "c _ _"]],
    boxes: Sequence[CropBox],
    size: tuple[int, int],
) -> Float[Tensor, "b c h w"]:
    """Cut a box from each picture, move it as ``crop_and_transform`` does, and recolour it.

    Parameters
    ----------
    params
        One for each picture, all with the same ``padding_mode``.
    images
        Of any sizes, on one device: red, green and blue, then what is only moved (a mask).
    boxes
        One for each picture.
    size
        Height and width of every crop.

    Returns
    -------
    Tensor
        Whole numbers from 0 to 255, float32.
    """
    drawn = list(zip(params, images, boxes, strict=True))
    once = [single_interpolation(change, box, size) for change, _, box in drawn]
    twice = [each for each, one in zip(drawn, once, strict=True) if not one]
    cut = iter(
        crop_resize_batch([each[1] for each in twice], [each[2] for each in twice], size) if twice else ()
    )
    parts = [
        picture[:, *box.slices()].float() if one else next(cut)
        for (_, picture, box), one in zip(drawn, once, strict=True)
    ]
    matrices = [
        affine_matrix(change, *size) @ crop_to_size_matrix(box, size) if one else affine_matrix(change, *size)
        for (change, _, box), one in zip(drawn, once, strict=True)
    ]
    seen = [(part.shape[1], part.shape[2]) for part in parts]
    return color_batch(params, warp_batch(pad_to_batch(parts), seen, matrices, size, params[0].padding_mode))
