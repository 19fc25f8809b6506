"""The zoo of dermoscopic structures on one page; the order gives each its bit in a structure mask."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.core.errors import ImageError
from lesionlens.imaging.masks import BinaryMask
from lesionlens.synthesis import dermoscopic_structures as keratin
from lesionlens.synthesis import dermoscopic_structures as melanocytic
from lesionlens.synthesis import dermoscopic_structures as vascular
from lesionlens.synthesis.canvas import LesionCanvas
from lesionlens.synthesis.pigment import PigmentLayer

StructureRenderer = Callable[[LesionCanvas, np.random.Generator, float], PigmentLayer]

STRUCTURES: dict[str, StructureRenderer] = {
    "network": melanocytic.pigment_network,
    "globules": melanocytic.globules,
    "streaks": melanocytic.streaks,
    "blotch": melanocytic.blotches,
    "blue_white_veil": melanocytic.blue_white_veil,
    "regression": melanocytic.regression_structures,
    "milia": keratin.milia_like_cysts,
    "comedo": keratin.comedo_like_openings,
    "ridges": keratin.fissures_and_ridges,
    "scale": keratin.surface_scale,
    "scar": keratin.scar_like_area,
    "arborising": vascular.arborizing_vessels,
    "lacunae": vascular.red_lacunae,
    "strawberry": vascular.strawberry_pattern,
    "nests": vascular.blue_gray_ovoid_nests,
    "ulcer": vascular.ulceration,
}
STRUCTURE_BITS = {name: 1 << place for place, name in enumerate(STRUCTURES)}
"""Value of each structure in a 16-bit structure mask."""


def unpack_masks(bits: npt.NDArray[np.uint16]) -> dict[str, BinaryMask]:
    """Give the mask of each structure present in ``bits`` (h, w).

    Examples
    --------
    >>> list(unpack(np.array([[0, 1], [2, 3]], np.uint16)))
    ['network', 'globules']
    """
    present = int(np.bitwise_or.reduce(bits, axis=None))
    return {name: (bits & bit) > 0 for name, bit in STRUCTURE_BITS.items() if present & bit}


def read_structures(path: Path) -> dict[str, BinaryMask]:
    """Read one ``structures/*.png``: a boolean mask (h, w) for each structure present.

    Raises
    ------
    ImageError
        The file is not a 16-bit structure mask.
    """
    bits = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if bits is None or bits.dtype != np.uint16:
        raise ImageError(
            f"{path} is not a 16-bit structure mask: give a file of the structures folder of a synthetic set."
        )
    return unpack_masks(np.asarray(bits, np.uint16))
