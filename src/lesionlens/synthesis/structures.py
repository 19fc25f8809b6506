"""Table of dermoscopic structures and their bits in 16-bit structure masks."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.core.errors import ImageError
from lesionlens.imaging.masks import BinaryMask
from lesionlens.synthesis.canvas import LesionCanvas
from lesionlens.synthesis.dermoscopic_structures import (
    arborizing_vessels,
    blotches,
    blue_gray_ovoid_nests,
    blue_white_veil,
    comedo_like_openings,
    fissures_and_ridges,
    globules,
    milia_like_cysts,
    pigment_network,
    red_lacunae,
    regression_structures,
    scar_like_area,
    strawberry_pattern,
    streaks,
    surface_scale,
    ulceration,
)
from lesionlens.synthesis.pigment import PigmentLayer

StructureRenderer = Callable[[LesionCanvas, np.random.Generator, float], PigmentLayer]

STRUCTURES: dict[str, StructureRenderer] = {
    "pigment_network": pigment_network,
    "globules": globules,
    "streaks": streaks,
    "blotches": blotches,
    "blue_white_veil": blue_white_veil,
    "regression_structures": regression_structures,
    "milia_like_cysts": milia_like_cysts,
    "comedo_like_openings": comedo_like_openings,
    "fissures_and_ridges": fissures_and_ridges,
    "surface_scale": surface_scale,
    "scar_like_area": scar_like_area,
    "arborizing_vessels": arborizing_vessels,
    "red_lacunae": red_lacunae,
    "strawberry_pattern": strawberry_pattern,
    "blue_gray_ovoid_nests": blue_gray_ovoid_nests,
    "ulceration": ulceration,
}
STRUCTURE_BITS = {name: 1 << bit for bit, name in enumerate(STRUCTURES)}
"""Value of each structure in a 16-bit structure mask; the order of ``STRUCTURES`` is part of the file format."""


def unpack_masks(bits: npt.NDArray[np.uint16]) -> dict[str, BinaryMask]:
    """Return the mask of each structure that is present in ``bits``, (h, w).

    Examples
    --------
    >>> list(unpack_masks(np.array([[0, 1], [2, 3]], np.uint16)))
    ['pigment_network', 'globules']
    """
    present = int(np.bitwise_or.reduce(bits, axis=None))
    return {name: (bits & bit) > 0 for name, bit in STRUCTURE_BITS.items() if present & bit}


def read_structures(path: Path) -> dict[str, BinaryMask]:
    """Read one ``structures/*.png`` file: a boolean mask (h, w) for each structure that is present.

    Raises
    ------
    ImageError
        The file is not a 16-bit structure mask.
    """
    bits = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if bits is None or bits.dtype != np.uint16:
        raise ImageError(
            f"{path} is not a 16-bit structure mask; use a file of the structures directory of a synthetic dataset."
        )
    return unpack_masks(np.asarray(bits, np.uint16))
