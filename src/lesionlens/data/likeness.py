"""Whether two files show the same photograph: a perceptual hash to find candidates, an alignment to make sure.

The hash is the signs of the low frequencies of a small grey picture (after Zauner 2010, "Implementation and
benchmarking of perceptual image hash functions", section 3.2.1), with one departure: contrast is evened out locally
first. Lesions are dark blobs in the middle of pale skin, and of such blobs the plain low frequencies are all alike.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

ORIENTATIONS = 8  # flips and right-angle turns
BITS = 120
RADIUS = 34  # of 120 bits; measured, see docs/audit.md
SAME = 0.9  # aligned correlation; measured, see docs/audit.md
THUMBNAIL = 64
_GRID, _KEPT = 32, 11  # pixels of the hashed picture; frequencies a side that are kept, the mean left out
_SPREAD, _DETAIL = 4.0, 3.0  # standard deviations in pixels, of local contrast and of what counts as fine
_NOISE = 3.0  # grey levels below which there is no contrast to even out
_BLOCK = 512  # rows compared at once: 50 MB at 25,000 images


class Near(NamedTuple):
    """Two images by position, and in how many of 120 bits they differ in the best of eight orientations."""

    first: int
    second: int
    distance: int


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Squeeze an image (h, w, 3) into a grey square, (64, 64)."""
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def perceptual_bits(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Hash a grey square or an image (h, w, 3), in its eight orientations: (8, 120).

    The hash of a turned or flipped image has the same rows in another order.
    """
    grey = thumbnail(image) if image.ndim == 3 else image
    small = cv2.resize(grey, (_GRID, _GRID), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(_evened(small))[:_KEPT, :_KEPT]
    odd = np.where(np.arange(_KEPT) % 2, -1.0, 1.0)
    turned = (low, low.T)
    rows = [
        (each * down[:, None] * across).ravel()[1:] > 0
        for each in turned
        for down in (np.ones(_KEPT), odd)
        for across in (np.ones(_KEPT), odd)
    ]
    return np.array(rows)


def near_pairs(bits: NDArray[np.bool_], *, radius: int = RADIUS) -> tuple[Near, ...]:
    """Find every pair of (n, 8, 120) hashes within a Hamming radius, over the eight orientations.

    Blocks of matrix products: the time grows with n², but 25,000 images take seconds, less than to decode them.
    """
    signs = np.where(bits, np.float32(1), np.float32(-1))
    upright = np.ascontiguousarray(signs[:, 0])
    found: list[Near] = []
    for start in range(0, len(bits), _BLOCK):
        block, others = upright[start : start + _BLOCK], signs[start:]
        agree = block @ others[:, 0].T
        for turn in range(1, ORIENTATIONS):
            np.maximum(agree, block @ others[:, turn].T, out=agree)
        rows, columns = np.nonzero(agree >= BITS - 2 * radius)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if row < column:
                distance = int(BITS - agree[row, column]) // 2
                found.append(Near(start + row, start + column, distance))
    return tuple(found)


def likeness(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Correlate two thumbnails, (64, 64), after the best orientation and an affine alignment: 1 is the same.

    Aligned by enhanced correlation (Evangelidis & Psarakis 2008) with contrast evened out; what is correlated is the
    fine structure, not the blob. Thumbnails that cannot be aligned, or share less than half of their area, have 0.
    """
    one = first.astype(np.float32)
    other = max(_orientations(second.astype(np.float32)), key=lambda each: _correlation(one, each))
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 1e-3)
    warp: Any = np.eye(2, 3, dtype=np.float32)
    everywhere = np.ones(first.shape, dtype=np.uint8)
    try:
        _, warp = cv2.findTransformECC(
            _evened(one), _evened(other), warp, cv2.MOTION_AFFINE, criteria, everywhere, 5
        )
    except cv2.error:  # no texture, or nothing in common
        return 0.0
    size, flags = first.shape[::-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shared = cv2.warpAffine(np.ones_like(one), warp, size, flags=flags) > 0.999
    if shared.mean() < 0.5:
        return 0.0
    moved = np.asarray(cv2.warpAffine(_fine(other, _DETAIL), warp, size, flags=flags), dtype=np.float32)
    return _correlation(_fine(one, _DETAIL)[shared], moved[shared])


def _orientations(square: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [
        np.ascontiguousarray(each[::down, ::across])
        for each in (square, square.T)
        for down in (1, -1)
        for across in (1, -1)
    ]


def _fine(picture: NDArray[np.float32], spread: float) -> NDArray[np.float32]:
    return np.asarray(picture - cv2.GaussianBlur(picture, (0, 0), spread), dtype=np.float32)


def _evened(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    fine = _fine(picture, _SPREAD)
    contrast = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), _SPREAD) + _NOISE**2)
    return np.asarray(fine / contrast, dtype=np.float32)


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / scale if scale > 0 else 0.0
