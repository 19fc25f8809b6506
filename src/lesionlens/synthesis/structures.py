"""The zoo of dermoscopic structures on one page; the order gives each its bit in a structure mask."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.errors import ImageError
from lesionlens.synthesis import keratin, melanocytic, vascular
from lesionlens.synthesis.ground import Ground
from lesionlens.synthesis.noise import Mask
from lesionlens.synthesis.pigment import Layer

Paint = Callable[[Ground, np.random.Generator, float], Layer]

STRUCTURES: dict[str, Paint] = {
    "network": melanocytic.network,
    "globules": melanocytic.globules,
    "streaks": melanocytic.streaks,
    "blotch": melanocytic.blotch,
    "blue_white_veil": melanocytic.blue_white_veil,
    "regression": melanocytic.regression,
    "milia": keratin.milia,
    "comedo": keratin.comedo,
    "ridges": keratin.ridges,
    "scale": keratin.scale,
    "scar": keratin.scar,
    "arborising": vascular.arborising,
    "lacunae": vascular.lacunae,
    "strawberry": vascular.strawberry,
    "nests": vascular.nests,
    "ulcer": vascular.ulcer,
}
BITS = {name: 1 << place for place, name in enumerate(STRUCTURES)}
"""Value of each structure in a 16-bit structure mask."""


def unpack(bits: npt.NDArray[np.uint16]) -> dict[str, Mask]:
    """Give the mask of each structure present in ``bits`` (h, w).

    Examples
    --------
    >>> list(unpack(np.array([[0, 1], [2, 3]], np.uint16)))
    ['network', 'globules']
    """
    present = int(np.bitwise_or.reduce(bits, axis=None))
    return {name: (bits & bit) > 0 for name, bit in BITS.items() if present & bit}


def read_structures(path: Path) -> dict[str, Mask]:
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
    return unpack(np.asarray(bits, np.uint16))
