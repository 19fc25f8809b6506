"""Image cache in memory."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class InMemoryImages:
    """Image cache of a list of arrays."""

    cache_format = "memmap"

    def __init__(self, images: Sequence[NDArray[np.uint8]]) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def shape(self, index: int) -> tuple[int, int]:
        height, width, _ = self._images[index].shape
        return height, width

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self._images[index]
