"""Batched crops and augmentation in torch, equal to those of OpenCV to about one gray level."""

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

_FIXED_POINT_ONE, _FIXED_POINT_HALF = 1 << 22, 1 << 11  # resampling weights are integers, as in Pillow


def augment_batch(
    params: Sequence[AugmentParams], batch: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b c h w"]:
    """Augment images, each with its own parameters, as ``augment`` does.

    Parameters
    ----------
    params
        Parameters of each image, all with the same ``padding_mode``.
    batch
        Integers from 0 to 255: red, green and blue, then channels that are only warped (a mask).

    Returns
    -------
    Tensor
        Integers from 0 to 255 that differ by 1 gray level from OpenCV's. OpenCV before version 5 shifts by multiples
        of 1/32 pixel, which differs by up to 8 gray levels at the sharpest edges.
    """
    size = (batch.shape[2], batch.shape[3])
    matrices = [affine_matrix(image_params, *size) for image_params in params]
    warped = warp_batch(batch, [size] * len(params), matrices, size, params[0].padding_mode)
    return color_batch(params, warped)


def crop_and_augment_batch(
    params: Sequence[AugmentParams],
    images: Sequence[UInt8[Tensor, "c _ _"]],
    boxes: Sequence[CropBox],
    size: tuple[int, int],
) -> Float[Tensor, "b c h w"]:
    """Crop a box of each image and augment it, as ``crop_and_transform`` and ``apply_color`` do.

    ``params`` are those of ``augment_batch``, the other parameters those of ``crop_resize_batch``. Channels after red,
    green and blue are only warped (a mask).
    """
    separate = [
        index
        for index, (image_params, box) in enumerate(zip(params, boxes, strict=True))
        if not single_interpolation(image_params, box, size)
    ]
    resized = dict(zip(separate, _crop_resize_some(images, boxes, separate, size), strict=True))
    crops, matrices = [], []
    for index, (image_params, image, box) in enumerate(zip(params, images, boxes, strict=True)):
        matrix = affine_matrix(image_params, *size)
        crops.append(resized[index] if index in resized else image[:, *box.slices()].float())
        matrices.append(matrix if index in resized else matrix @ crop_to_size_matrix(box, size))
    sizes = [(crop.shape[1], crop.shape[2]) for crop in crops]
    return color_batch(params, warp_batch(pad_to_batch(crops), sizes, matrices, size, params[0].padding_mode))


def warp_batch(
    batch: Float[Tensor, "b c y x"],
    in_sizes: Sequence[tuple[int, int]],
    matrices: Sequence[NDArray[np.float64]],
    out_size: tuple[int, int],
    padding_mode: PaddingMode,
) -> Float[Tensor, "b c h w"]:
    """Warp images of different sizes into one size, as ``warp_affine`` does.

    Parameters
    ----------
    batch
        Integers from 0 to 255; each image is in the upper left corner.
    in_sizes
        Height and width of each image.
    matrices
        OpenCV's 2 by 3 matrix of each image, from its pixel coordinates to those of the output.
    out_size
        Height and width of the output.
    padding_mode
        Pixels outside the images.
    """
    inverses = [_inverse_matrix(*pair, out_size) for pair in zip(matrices, in_sizes, strict=True)]
    inverse = _tensor_like(batch, inverses)[:, None, None]
    half = (
        _tensor_like(batch, in_sizes).flip(1)[:, None, None] - 1
    ) / 2  # from the center to the border: x, y
    x, y = (torch.arange(side, device=inverse.device) - (side - 1) / 2 for side in (out_size[1], out_size[0]))
    points = (
        inverse[..., 0] * x[:, None] + inverse[..., 1] * y[:, None, None] + inverse[..., 2]
    )  # (b, h, w, 2)
    points = _pad_coordinates(points, half, padding_mode) + half
    center = (_tensor_like(batch, batch.shape[:1:-1]) - 1) / 2
    grid = (points - center) / center.clamp(min=0.5)
    return F.grid_sample(batch, grid, mode="bilinear", padding_mode="border", align_corners=True).round()


def color_batch(params: Sequence[AugmentParams], batch: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Apply each image's color matrix, its last column scaled by the mean gray level, then cutout."""
    images, masks = batch[:, :3], batch[:, 3:]
    matrix = _tensor_like(images, [color_matrix(image_params, 1.0) for image_params in params])
    mean_gray = _channel_means(images).flatten(1) @ _tensor_like(images, LUMA_WEIGHTS)
    shift = matrix[:, :, 3] * mean_gray[:, None]
    colored = (matrix[:, :, :3] @ images.flatten(2) + shift[..., None]).round().clamp(0, 255)
    colored = colored.reshape(images.shape)
    colored = torch.where(_cutout_mask(params, images), _channel_means(colored).round(), colored)
    return torch.cat([colored, masks], dim=1)


def crop_resize_batch(
    images: Sequence[UInt8[Tensor, "c _ _"]], boxes: Sequence[CropBox], size: tuple[int, int]
) -> Float[Tensor, "b c h w"]:
    """Crop a box of each image and resize it, as ``resized_crop`` does, by one matrix product per axis.

    Parameters
    ----------
    images
        Images of any sizes, on one device.
    boxes
        Box of each image.
    size
        Height and width of every crop.

    Returns
    -------
    Tensor
        Integers from 0 to 255, float32.
    """
    regions = [(box.parent or box).slices() for box in boxes]
    pixels = pad_to_batch([image[:, *region] for image, region in zip(images, regions, strict=True)])
    bounds = torch.tensor([_crop_bounds(box) for box in boxes], device=pixels.device)
    row_weights, column_weights = (
        _resample_weights(bounds[:, axis], out_length=size[axis], in_length=pixels.shape[2 + axis])
        for axis in (0, 1)
    )
    narrowed = _apply_weights(column_weights[:, None], pixels.float().transpose(2, 3))
    return _apply_weights(row_weights[:, None], narrowed.transpose(2, 3))


def _crop_resize_some(
    images: Sequence[UInt8[Tensor, "c _ _"]],
    boxes: Sequence[CropBox],
    indices: Sequence[int],
    size: tuple[int, int],
) -> Sequence[Tensor]:
    if not indices:
        return ()
    return tuple(crop_resize_batch([images[i] for i in indices], [boxes[i] for i in indices], size))


def pad_to_batch(images: Sequence[Num[Tensor, "c _ _"]]) -> Num[Tensor, "b c y x"]:
    """Copy images of different sizes into one tensor, each in the upper left corner of zeros."""
    height, width = (max(image.shape[axis] for image in images) for axis in (1, 2))
    batch = images[0].new_zeros(len(images), images[0].shape[0], height, width)
    for target, image in zip(batch, images, strict=True):
        target[:, : image.shape[1], : image.shape[2]] = image
    return batch


def _pad_coordinates(coordinates: Tensor, half: Tensor, padding_mode: PaddingMode) -> Tensor:
    """Map coordinates outside an image to those inside whose pixels pad it; all relative to the image's center."""
    if padding_mode == "replicate":
        return coordinates.clamp(-half, half)
    period = (4 * half).clamp(min=1)
    return half - ((coordinates + half) % period - 2 * half).abs()


def _inverse_matrix(
    matrix: NDArray[np.float64], in_size: tuple[int, int], out_size: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the 2 by 3 matrix from output to input coordinates (x, y), both relative to the centers."""
    in_center, out_center = (
        np.array([(width - 1) / 2, (height - 1) / 2]) for height, width in (in_size, out_size)
    )
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, linear @ (out_center - matrix[:, 2]) - in_center])


def _channel_means(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 1 1"]:
    return images.mean(dim=(2, 3), keepdim=True)


def _cutout_mask(params: Sequence[AugmentParams], images: Float[Tensor, "b 3 h w"]) -> Tensor:
    """Return which pixels cutout fills, (b, 1, h, w)."""
    boxes = [cutout_box(image_params.cutout, *images.shape[2:]) for image_params in params]
    inside = []
    for axis in (0, 1):
        pixel = torch.arange(images.shape[2 + axis], device=images.device)
        start, stop = (
            _tensor_like(images, [getattr(box[axis], name) for box in boxes])[:, None]
            for name in ("start", "stop")
        )
        inside.append((start <= pixel) & (pixel < stop))
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]


def _crop_bounds(box: CropBox) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return start, end and length of the box's parent region (or of the box) for rows, then for columns."""
    parent = box.parent or box
    rows, columns = parent.slices()
    top, left = box.top - parent.top, box.left - parent.left
    return (
        (top, top + box.height, float(rows.stop - rows.start)),
        (left, left + box.width, float(columns.stop - columns.start)),
    )


def _resample_weights(
    bounds: Float[Tensor, "b 3"], *, out_length: int, in_length: int
) -> Float[Tensor, "b out length"]:
    """Return the weight of each input pixel in each output pixel, in units of 2^-22.

    The filter is a triangle whose half-width is the downscaling factor.
    """
    start, end, length = bounds.T[:, :, None, None]
    scale = (end - start).double() / out_length
    center = start + (torch.arange(out_length, device=bounds.device)[:, None] + 0.5) * scale
    pixel = torch.arange(in_length, device=bounds.device) + 0.5
    weight: Tensor = (1 - (pixel - center).abs() / scale.clamp(min=1)).clamp(min=0) * (pixel < length)
    return (weight / weight.sum(dim=2, keepdim=True) * _FIXED_POINT_ONE).round()


def _apply_weights(
    weights: Float[Tensor, "b 1 out length"], x: Float[Tensor, "b c length n"]
) -> Float[Tensor, "b c out n"]:
    """Multiply by the weights and round to integer gray levels, ties upwards.

    The upper and lower halves of the weights are multiplied separately to stay within the 24 bits of float32.
    """
    upper = (weights / _FIXED_POINT_HALF).floor()
    coarse, fine = (half.float() @ x for half in (upper, weights - upper * _FIXED_POINT_HALF))
    total = coarse.double() * _FIXED_POINT_HALF + fine + _FIXED_POINT_ONE // 2
    return (total / _FIXED_POINT_ONE).floor().float()


def _tensor_like(reference: Tensor, values: Sequence[object]) -> Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float32, device=reference.device)
