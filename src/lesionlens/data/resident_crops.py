"""One crop of each of many pictures, cut, resized and moved on the device where they lie."""

from collections.abc import Sequence

from jaxtyping import Float, UInt8
from torch import Tensor

from lesionlens.crops.box import Box
from lesionlens.data.change import Change, warp
from lesionlens.data.moved_crop import in_one, resizing
from lesionlens.data.resident_change import recolour_all, sample_all
from lesionlens.data.resident_cut import canvas, cut_all


def apply_to_crops(
    changes: Sequence[Change],
    pictures: Sequence[UInt8[Tensor, "c _ _"]],
    boxes: Sequence[Box],
    size: tuple[int, int],
) -> Float[Tensor, "b c h w"]:
    """Cut a box from each picture, move it as ``moved_crop`` does, and recolour it.

    Parameters
    ----------
    changes
        One for each picture, all with the same ``fill``.
    pictures
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
    drawn = list(zip(changes, pictures, boxes, strict=True))
    once = [in_one(change, box, size) for change, _, box in drawn]
    twice = [each for each, one in zip(drawn, once, strict=True) if not one]
    cut = iter(cut_all([each[1] for each in twice], [each[2] for each in twice], size) if twice else ())
    parts = [
        picture[:, *box.pixels()].float() if one else next(cut)
        for (_, picture, box), one in zip(drawn, once, strict=True)
    ]
    matrices = [
        warp(change, *size) @ resizing(box, size) if one else warp(change, *size)
        for (change, _, box), one in zip(drawn, once, strict=True)
    ]
    seen = [(part.shape[1], part.shape[2]) for part in parts]
    return recolour_all(changes, sample_all(canvas(parts), seen, matrices, size, changes[0].fill))
