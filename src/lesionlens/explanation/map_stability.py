"""Stability of maps: the map of a slightly shifted image, shifted back, should be the map of the image."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.explanation.localization import stitched_maps
from lesionlens.explanation.map_randomization import map_rank_correlation
from lesionlens.imaging.stitching import StitchedMap
from lesionlens.models.saved_model import LoadedModel

SHIFT = 0.04  # of the shorter side of the image
_MAX_COMPARED = 64  # positions of the longer side that are compared


class _Shift(NamedTuple):
    """Distance in pixels by which an image moves down and to the right."""

    down: int
    right: int

    def apply(self, array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the shifted array; its edge is reflected into the part that becomes free."""
        size = max(abs(self.down), abs(self.right))
        padding = [(size, size), (size, size), *[(0, 0)] * (array.ndim - 2)]
        padded = np.pad(array, padding, mode="reflect")
        height, width = array.shape[:2]
        top, left = size - self.down, size - self.right
        return np.ascontiguousarray(padded[top : top + height, left : left + width])

    def overlap(self, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return the part of the image, and the part of the shifted image that shows the same."""
        pairs = [
            (slice(max(0, -by), size - max(0, by)), slice(max(0, by), size + min(0, by)))
            for by, size in zip(self, shape, strict=True)
        ]
        return (pairs[0][0], pairs[1][0]), (pairs[0][1], pairs[1][1])


def shift_correlations(
    loaded: LoadedModel,
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    maps: dict[str, StitchedMap],
    *,
    methods: tuple[str, ...],
    target_index: int,
) -> dict[str, float]:
    """Return the mean rank correlation of each map with those of the image shifted in four directions, shifted back.

    Parameters
    ----------
    loaded
        Model with its card.
    image
        Decoded RGB image, (h, w, 3).
    mask
        Its lesion mask, (h, w), for a model that crops around the lesion.
    maps
        Maps of the image, from ``stitched_maps``.
    methods, target_index
        With which they were computed.
    """
    size = max(1, round(SHIFT * min(image.shape[:2])))
    correlations: dict[str, list[float]] = {name: [] for name in maps}
    for shift in (_Shift(size, 0), _Shift(-size, 0), _Shift(0, size), _Shift(0, -size)):
        shifted = stitched_maps(loaded, shift.apply(image), shift.apply(mask), methods, target_index)
        for name, other in shifted:
            correlations[name].append(map_rank_correlation(*_overlapping_values(maps[name], other, shift)))
    return {name: float(np.mean(values)) for name, values in correlations.items()}


def _overlapping_values(
    first: StitchedMap, second: StitchedMap, shift: _Shift
) -> Iterator[NDArray[np.float64]]:
    """Yield the values of both maps where both cover the same part of the image, on a grid of at most 64 × 64."""
    step = -(-max(first.values.shape) // _MAX_COMPARED)
    here, there = shift.overlap(first.values.shape)
    both = (first.coverage[here] & second.coverage[there])[::step, ::step]
    for stitched, part in ((first, here), (second, there)):
        yield stitched.values[part][::step, ::step][both]
