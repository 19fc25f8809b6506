"""One crop of each of many pictures, cut, resized and moved on the device where they lie."""

from collections.abc import Sequence

from jaxtyping import Float, UInt8
from torch import Tensor

from lesionlens.crops.box import CropBox
from lesionlens.data.change import AugmentParams, affine_matrix
from lesionlens.data.moved_crop import single_interpolation, crop_to_size_matrix
from lesionlens.data.resident_change import color_batch, warp_batch
from lesionlens.data.resident_cut import pad_to_batch, crop_resize_batch


def crop_and_augment_batch(
    params: Sequence[AugmentParams],
    images: Sequence[UInt8[Tensor, "c _ _"]],
    boxes: Sequence[CropBox],
    size: tuple[int, int],
) -> Float[Tensor, "b c h w"]:
    """Cut a box from each picture, move it as ``moved_crop`` does, and recolour it.

    Parameters
    ----------
    params
        One for each picture, all with the same ``fill``.
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
    cut = iter(crop_resize_batch([each[1] for each in twice], [each[2] for each in twice], size) if twice else ())
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
