"""A box of a picture cut, resized and moved: in one sampling where bilinear weights suffice for that."""

import numpy as np
from numpy.typing import NDArray

from lesionlens.crops.box import CropBox
from lesionlens.crops.cut import resized_crop
from lesionlens.data.change import AugmentParams, needs_interpolation, apply_geometric, warp_affine, affine_matrix

# Beyond that an interpolation of neighbours passes too many pixels over. Below, photographs differ from those sampled
# twice by half a grey level in the mean, and are sharper at edges.
MAX_DOWNSCALE = 1.5


def crop_and_transform(
    params: AugmentParams, image: NDArray[np.uint8], box: CropBox, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Cut a box from an image (h, w, 3) or a mask (h, w), bring it to (height, width) and move it.

    What comes in from outside is made of the box, as if it were cut first.
    """
    if not single_interpolation(params, box, size):
        return apply_geometric(params, resized_crop(image, box, size))
    part = image[box.slices()]
    return warp_affine(params, part, affine_matrix(params, *size) @ crop_to_size_matrix(box, size), size)


def single_interpolation(params: AugmentParams, box: CropBox, size: tuple[int, int]) -> bool:
    """Say whether the picture is interpolated once: where it would be twice, and the box does not shrink by much.

    A mere resize stays as in prediction; so does that of a box in a frame, as its paper has it.
    """
    shrunk = max(box.height / size[0], box.width / size[1])
    return needs_interpolation(params) and box.parent is None and shrunk <= MAX_DOWNSCALE


def crop_to_size_matrix(box: CropBox, size: tuple[int, int]) -> NDArray[np.float64]:
    """Give the 3 by 3 matrix from a box's pixels, counted from its corner, to those of the size; edges stay edges."""
    down, across = size[0] / box.height, size[1] / box.width
    return np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])
